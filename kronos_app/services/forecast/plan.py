"""From a request to exactly what the engine will be given, checked before anything is queued."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from kronos_app.data import calendars
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.candles.doubts import FEWEST_CANDLES, refuse_level_breaks
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.store.records import CandleSet

SAMPLING = ("temperature", "top_k", "top_p", "samples", "seed", "window")


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be computed.

    Attributes
    ----------
    request
        With a seed.
    candles_id, candles_name
        The set the history is from.
    history
        The candles that end at the cutoff, all that the engine sees: `lookback` of them, or as many as the model can
        hold, in the window `fit` together with the horizon.
    timestamps
        Times of the candles to forecast, made from candles up to the cutoff and the calendar's published timetable.
    calendar
        Key of the calendar that the candles up to the cutoff follow; None where their own pattern counts.
    """

    request: ForecastRequest
    candles_id: str
    candles_name: str
    history: CandleFrame
    timestamps: pd.DatetimeIndex
    calendar: str | None = None

    @property
    def cutoff(self) -> pd.Timestamp:
        """Return the time of the last history candle."""
        return pd.Timestamp(self.history.timestamps[-1])

    @property
    def settings(self) -> dict[str, Any]:
        """Return how the paths are made; with their drift they are told as before there was a choice."""
        names = {*SAMPLING, "driftless"} if self.request.driftless else set(SAMPLING)
        return self.request.model_dump(mode="json", include=names)

    def content(self, weights: str) -> str:
        """Return the hash of everything the paths depend on: weights, history, times, settings, seed."""
        times = self.timestamps.to_numpy("datetime64[ns]").astype("<i8").tobytes()
        settings = json.dumps(self.settings, sort_keys=True)
        parts = [weights, self.history.digest, hashlib.sha256(times).hexdigest(), settings]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def forecast_id(self, weights: str) -> str:
        """Return the id of the record: equal content seen from another candle set is a forecast of its own.

        What came after the cutoff belongs to the candle set, so two sets must not share one record.
        """
        return hashlib.sha256(f"{self.content(weights)}\n{self.candles_id}".encode()).hexdigest()[:32]

    @property
    def key(self) -> str:
        """Return what names equal work before the weights are known."""
        return self.forecast_id(f"model {self.request.model}")


def plan(request: ForecastRequest, candle_set: CandleSet, max_context: int) -> Plan:
    """Check `request` against its candles and the model's context.

    Parameters
    ----------
    request
        Must carry a seed.
    max_context
        Candles the model can hold.

    Raises
    ------
    InvalidInput
        Names the field and the value that would do; for a history across a split that the candles are not adjusted
        for, also the split.
    """
    candles = candle_set.candles
    used = min(request.lookback, _room(request, max_context))
    rows = _rows_until(candles, request.cutoff)
    if rows < request.lookback:
        raise InvalidInput(
            "too_few_candles",
            text(
                "lookback: {name} has {rows} candles up to {cutoff}, fewer than the {lookback} asked for.",
                name=candles.name,
                rows=rows,
                cutoff=str(candles.timestamps[rows - 1]),
                lookback=request.lookback,
            ),
            text("Set lookback to {rows} or less, or choose a later cutoff.", rows=rows)
            if rows > 1
            else text("A forecast needs at least 2 candles: add more."),
        )
    known = candles.timestamps[:rows]
    refuse_level_breaks(replace(candles, frame=candles.frame.iloc[:rows]), used)
    history = replace(candles, frame=candles.frame.iloc[rows - used : rows].reset_index(drop=True))
    zone, calendar = candles.timezone, candles.about.calendar
    followed = calendars.share(known, zone, calendar) is not None
    future = calendars.future_timestamps(known, request.horizon, zone, calendar)
    return Plan(request, candle_set.id, candles.name, history, future, calendar if followed else None)


def _room(request: ForecastRequest, max_context: int) -> int:
    """Return how many history candles fit into the context, at least two: beside the horizon, or as it begins."""
    largest = max_context - FEWEST_CANDLES if request.window == "fit" else max_context
    if request.horizon <= largest:
        return max_context - request.horizon if request.window == "fit" else max_context
    values = {"horizon": request.horizon, "context": max_context, "model": request.model}
    raise InvalidInput(
        "horizon_too_long",
        text("horizon: {horizon} candles leave no room for history in the {context} that {model} can hold.", **values)
        if request.window == "fit"
        else text("horizon: {horizon} candles are more than the {context} that {model} can hold.", **values),
        text("Set horizon to {largest} or less.", largest=largest),
    )


def _rows_until(candles: CandleFrame, cutoff: datetime | None) -> int:
    """Return how many candles there are up to and with the cutoff, which must be the time of one."""
    if cutoff is None:
        return len(candles)
    times = candles.timestamps
    moment = _local(pd.Timestamp(cutoff), candles)
    if not times[0] <= moment <= times[-1]:
        raise InvalidInput(
            "cutoff_outside",
            text("cutoff: {cutoff} lies outside the candles of {name}.", cutoff=str(moment), name=candles.name),
            text("Choose a time from {first} to {last}.", first=str(times[0]), last=str(times[-1])),
        )
    rows = int(times.searchsorted(moment, side="right"))
    if times[rows - 1] != moment:
        raise InvalidInput(
            "cutoff_between",
            text("cutoff: {name} has no candle at {cutoff}.", cutoff=str(moment), name=candles.name),
            text("The last candle before it is at {before}.", before=str(times[rows - 1])),
        )
    return rows


def _local(moment: pd.Timestamp, candles: CandleFrame) -> pd.Timestamp:
    """Return `moment` as the candles tell time: without zone, local to theirs."""
    if moment.tzinfo is None:
        return moment
    if candles.timezone is None:
        raise InvalidInput(
            "cutoff_zone",
            text("cutoff: {cutoff} names a time zone, but {name} does not.", cutoff=str(moment), name=candles.name),
            text("Give the time as the candles have it, without a zone."),
        )
    return moment.tz_convert(candles.timezone).tz_localize(None)
