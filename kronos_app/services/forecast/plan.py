"""From a request to the exact input of the engine, checked before anything is queued."""

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
from kronos_app.services.candles.doubts import refuse_level_breaks
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.models.limits import check_horizon
from kronos_app.store.records import CandleSet

SAMPLING = ("temperature", "top_k", "top_p", "samples", "seed", "window")


@dataclass(frozen=True, eq=False)
class Plan:
    """The input of one forecast.

    Attributes
    ----------
    request
        Complete: with a seed and with the model's recommended values filled in.
    history
        The candles that the model sees, ending at the cutoff: `lookback` of them, or as many as the context holds.
    timestamps
        Times of the forecast candles, from the candles up to the cutoff and the published timetable of the calendar.
    calendar
        Key of the calendar that the candles up to the cutoff follow; None if the times follow their own pattern.
    """

    request: ForecastRequest
    candle_set: CandleSet
    history: CandleFrame
    timestamps: pd.DatetimeIndex
    calendar: str | None = None

    @property
    def cutoff(self) -> pd.Timestamp:
        """Return the time of the last history candle."""
        return pd.Timestamp(self.history.timestamps[-1])

    @property
    def settings(self) -> dict[str, Any]:
        """Return the sampling settings; `driftless` is named only where it is on, so that older hashes stay valid."""
        names = {*SAMPLING, "driftless"} if self.request.driftless else set(SAMPLING)
        return self.request.model_dump(mode="json", include=names)

    def content(self, weights: str) -> str:
        """Return the hash of everything the paths depend on: weights, history, times, settings, seed."""
        times = self.timestamps.to_numpy("datetime64[ns]").astype("<i8").tobytes()
        settings = json.dumps(self.settings, sort_keys=True)
        parts = [weights, self.history.digest, hashlib.sha256(times).hexdigest(), settings]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def forecast_id(self, weights: str) -> str:
        """Return the hash of content and candle set as id: each set has its own actual candles."""
        return hashlib.sha256(f"{self.content(weights)}\n{self.candle_set.id}".encode()).hexdigest()[:32]

    @property
    def key(self) -> str:
        """Return a key that equal requests share before the weights are known."""
        return self.forecast_id(f"model {self.request.model}")


def plan_forecast(request: ForecastRequest, candle_set: CandleSet, max_context: int) -> Plan:
    """Check `request` against its candles and the model's context, and return the input of the engine.

    Parameters
    ----------
    request
        Must carry a seed.
    max_context
        Candles that the model can hold.

    Raises
    ------
    InvalidInput
        Names the field and a value that is possible; for a history across an unadjusted split, also the split.
    """
    candles = candle_set.candles
    room = check_horizon(request.horizon, max_context, request.window, request.model)
    rows = _count_rows(candles, request.cutoff)
    if rows < request.lookback:
        raise InvalidInput(
            "too_few_candles",
            text(
                "lookback: {name} has {rows} candles up to {cutoff}, but {lookback} are requested.",
                name=candle_set.title,
                rows=rows,
                cutoff=str(candles.timestamps[rows - 1]),
                lookback=request.lookback,
            ),
            text("Set lookback to {rows} or less, or choose a later cutoff.", rows=rows)
            if rows > 1
            else text("A forecast needs at least 2 candles: add more."),
        )
    used = min(request.lookback, room)
    past = candles.timestamps[:rows]
    refuse_level_breaks(replace(candles, frame=candles.frame.iloc[:rows]), used)
    history = replace(candles, frame=candles.frame.iloc[rows - used : rows].reset_index(drop=True))
    zone, calendar = candles.timezone, candles.about.calendar
    follows = calendars.share(past, zone, calendar) is not None
    future = calendars.future_timestamps(past, request.horizon, zone, calendar)
    return Plan(request, candle_set, history, future, calendar if follows else None)


def _count_rows(candles: CandleFrame, cutoff: datetime | None) -> int:
    """Return the number of candles up to and including the cutoff, which must be the time of a candle."""
    if cutoff is None:
        return len(candles)
    times = candles.timestamps
    moment = _to_local(pd.Timestamp(cutoff), candles)
    if not times[0] <= moment <= times[-1]:
        raise InvalidInput(
            "cutoff_outside",
            text("cutoff: {cutoff} is outside the candles of {name}.", cutoff=str(moment), name=candles.name),
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


def _to_local(moment: pd.Timestamp, candles: CandleFrame) -> pd.Timestamp:
    """Return `moment` in the time zone of the candles, without zone."""
    if moment.tzinfo is None:
        return moment
    if candles.timezone is None:
        raise InvalidInput(
            "cutoff_zone",
            text("cutoff: {cutoff} names a time zone, but {name} does not.", cutoff=str(moment), name=candles.name),
            text("Give the time as the candles have it, without a zone."),
        )
    return moment.tz_convert(candles.timezone).tz_localize(None)
