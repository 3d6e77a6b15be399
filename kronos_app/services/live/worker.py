"""One check of a followed series: fetch the newest candles, and forecast if one was completed since the last check.

The forecasts of a series are made from one data set, which grows: candles are added at its end and no candle in it ever
changes, so that it shows for each forecast what the model was given, and later the actual candles. If the vendor
rescaled the series (a split, a dividend) or a stretch is missing, a new data set begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.source import FetchRequest, Interval
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.ledger.grading import SAME
from kronos_app.services.live.service import find_follow
from kronos_app.services.selection.setup import fill_in
from kronos_app.store.ledger import OPEN, Follow, LedgerFilter
from kronos_app.store.records import CandleSet, now

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.services.candles.series_fetching import SeriesFetcher
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.candles.sources import Sources
    from kronos_app.services.forecast.worker import ForecastWorker
    from kronos_app.services.ledger.service import LedgerService
    from kronos_app.services.models.service import ModelService
    from kronos_app.store import Store

OnStep = Callable[[int, int], None]

FIRST_CANDLES = 1_000  # of a new data set, at least: enough to learn the trading hours of the market from
MOST_CANDLES = 20_000  # that a data set keeps
CORRECTION = 0.01  # largest correction of a price by the vendor; the candle stays as the forecast was made from it
DAY = timedelta(days=1)
# Calendar time over trading time: with sessions and weekends, with weekends, around the clock.
SESSIONS, WEEKENDS, ROUND_THE_CLOCK = 7.0, 1.6, 1.02


@dataclass(eq=False)
class FollowWorker:
    """Runs the checks that `FollowService` started."""

    _store: Store
    _candles: CandleService
    _models: ModelService
    _forecasts: ForecastWorker
    _ledger: LedgerService
    _fetcher: SeriesFetcher
    _sources: Sources
    _clock: Callable[[], datetime] = now

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Check once; return the id of the latest forecast, empty if there is none. `on_step` may raise to cancel."""
        follow = find_follow(self._store, str(job["follow"]))
        on_step(0, 0)
        draft = self._fetch_newest(follow, on_step)
        on_step(0, 0)  # the last chance to cancel: from here on results are saved
        saved = self._extend_set(follow, draft)
        newest = pd.Timestamp(saved.candles.timestamps[-1])
        forecast_id = follow.forecast_id or ""
        if follow.last_candle is None or newest > follow.last_candle:
            forecast_id = self._forecasts.run(self._request(follow, saved), on_step)
            self._ledger.enter(forecast_id, follow.id)
            self._store.follows.update(
                follow.id,
                candles_id=saved.id,
                last_candle=newest,
                forecast_id=forecast_id,
                made=follow.made + (forecast_id != follow.forecast_id),
            )
        waiting = self._ledger.list(LedgerFilter(states=OPEN))
        self._ledger.grade([entry.id for entry in waiting if entry.candles_id == saved.id])
        return forecast_id

    def _fetch_newest(self, follow: Follow, on_step: OnStep) -> Draft:
        """Return the newest completed candles of the series, which is brought up to date in the store."""
        rows = max(int(follow.settings["lookback"]), FIRST_CANDLES)
        intervals = self._sources.get(follow.source).intervals()
        interval = next((choice for choice in intervals if choice.key == follow.interval), None)
        start = None if interval is None else self._choose_start(follow.source, interval, rows)
        request = FetchRequest(follow.symbol, follow.interval, start, None, follow.options)
        return self._fetcher.fetch(follow.source, request, lambda _rows: on_step(0, 0))

    def _choose_start(self, source: str, interval: Interval, rows: int) -> datetime:
        """Return a time from which on there are about `rows` candles."""
        always_open = self._sources.family(source).always_open
        factor = ROUND_THE_CLOCK if always_open else SESSIONS if interval.length < DAY else WEEKENDS
        reach = rows * interval.length * factor
        if interval.reach is not None:
            reach = min(reach, interval.reach - DAY)
        return self._clock() - reach

    def _extend_set(self, follow: Follow, draft: Draft) -> CandleSet:
        """Return the data set of the series with the new candles; faulty candles are left out."""
        repaired = self._candles.preview(draft, "drop")
        fresh = replace(repaired.candles, name=f"{follow.symbol} (live)")
        for generation in count():
            candles_id = _candles_id(follow, generation)
            existing = self._store.candles.get(candles_id)
            candles = fresh if existing is None else append_candles(existing.candles, fresh)
            if existing is not None and candles is existing.candles:
                return existing
            if candles is not None:
                saved = CandleSet(candles_id, candles, self._candles.inspect(draft).to_dict(), repaired.record)
                return self._candles.labels.put_all([saved])[0]
        raise AssertionError

    def _request(self, follow: Follow, saved: CandleSet) -> dict[str, Any]:
        """Return the request of a forecast from the newest candle.

        Without a fixed seed the seed depends on the follow and the candle: a check that is repeated after a crash makes
        the same forecast.
        """
        settings = dict(follow.settings)
        if settings.get("seed") is None:
            name = f"{follow.id} {saved.candles.timestamps[-1].isoformat()}"
            settings["seed"] = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
        settings["lookback"] = min(int(settings["lookback"]), len(saved.candles))
        request = ForecastRequest.build({**settings, "candles_id": saved.id})
        return fill_in(request, self._models.spec(request.model)).model_dump(mode="json")


def append_candles(known: CandleFrame, fresh: CandleFrame) -> CandleFrame | None:
    """Return `known` with the later candles of `fresh`, or `known` itself if there are none.

    None if they do not fit together: other columns or zone, a gap between them, or prices that were rescaled or
    changed by more than a correction of the vendor.
    """
    if known.timezone != fresh.timezone or known.features != fresh.features:
        return None
    one, other = (candles.frame.set_index("timestamp")["close"] for candles in (known, fresh))
    both = one.index.intersection(other.index)
    if both.empty:
        return None
    ratios = (other[both] / one[both]).to_numpy(np.float64)
    if abs(float(np.median(ratios)) - 1) > SAME or float(np.max(np.abs(ratios - 1))) > CORRECTION:
        return None
    new = fresh.frame[fresh.timestamps > known.timestamps[-1]]
    if new.empty:
        return known
    frame = pd.concat([known.frame, new], ignore_index=True).tail(MOST_CANDLES).reset_index(drop=True)
    return replace(fresh, frame=frame)


def _candles_id(follow: Follow, generation: int) -> str:
    key = [follow.source, follow.symbol, follow.interval, *sorted(map(str, follow.options.items())), str(generation)]
    return "live-" + hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
