"""One look at a followed series: bring it up to date, and forecast from a candle that has ended since the last look.

The forecasts of a series are made from one data set, which grows: candles are added at its end and nothing in it ever
changes, so that it shows of each forecast what the model was given, and by and by what came. Where the vendor rescaled
the series (a split, a dividend) or a stretch is missing, another data set begins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import NotFound
from kronos_app.i18n import text
from kronos_app.services.forecast.request import complete_settings
from kronos_app.services.ledger.grading import SAME
from kronos_app.store.ledger import OPEN, Follow, LedgerFilter
from kronos_app.store.records import CandleSet

if TYPE_CHECKING:
    from kronos_app.data.checks.repair import Repaired
    from kronos_app.data.draft import Draft
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.forecast.worker import ForecastWorker
    from kronos_app.services.ledger.service import LedgerService
    from kronos_app.store import Store

OnStep = Callable[[int, int], None]
Newest = Callable[[Follow, int, Callable[[int], None]], "Draft"]
"""Returns so many of the newest candles of a series that have ended, brought up to date; calls back after each page."""

# What a data set begins with, at least: enough to learn the rhythm of the market from.
FIRST_CANDLES = 1_000
MOST_CANDLES = 20_000  # what it keeps
# Vendors correct a candle a little soon after its end. It stays as it came: that is what the forecast was made from.
CORRECTION = 0.01


class FollowWorker:
    """Takes the looks that `FollowService` began."""

    def __init__(
        self, store: Store, candles: CandleService, forecasts: ForecastWorker, ledger: LedgerService, newest: Newest
    ) -> None:
        self._store = store
        self._candles = candles
        self._forecasts = forecasts
        self._ledger = ledger
        self._newest = newest

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Look once; return the id of the latest forecast, empty before there is one. `on_step` may raise to cancel."""
        follow = self._follow(str(job["follow"]))
        on_step(0, 0)
        rows = max(int(follow.settings["lookback"]), FIRST_CANDLES)
        draft = self._newest(follow, rows, lambda _rows: on_step(0, 0))
        on_step(0, 0)  # The last moment to cancel: from here on something is kept.
        saved = self._grown(follow, draft)
        newest = pd.Timestamp(saved.candles.timestamps[-1])
        forecast_id = follow.forecast_id or ""
        if follow.last_candle is None or newest > follow.last_candle:
            forecast_id = self._forecasts.run(_request(follow, saved), on_step)
            self._ledger.note(forecast_id, follow.id)
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

    def _follow(self, follow_id: str) -> Follow:
        follow = self._store.follows.get(follow_id)
        if follow is None:
            raise NotFound(
                "follow_not_found",
                text("No series is followed under {id}.", id=follow_id),
                text("It may have been deleted; the Live page lists what is followed."),
            )
        return replace(follow, settings=complete_settings(follow.settings, f"follow {follow.id}"))

    def _grown(self, follow: Follow, draft: Draft) -> CandleSet:
        """Return the data set of the series with what is new; faulty candles are left out."""
        repaired = self._candles.preview(draft, "drop")
        fresh = replace(repaired.candles, name=f"{follow.symbol} (live)")
        for generation in count():
            candles_id = _candles_id(follow, generation)
            known = self._store.candles.get(candles_id)
            grown = fresh if known is None else joined(known.candles, fresh)
            if known is not None and grown is known.candles:
                return known
            if grown is not None:
                return self._save(candles_id, grown, draft, repaired)
        raise AssertionError

    def _save(self, candles_id: str, candles: CandleFrame, draft: Draft, repaired: Repaired) -> CandleSet:
        saved = CandleSet(candles_id, candles, self._candles.inspect(draft).to_dict(), repaired.record)
        self._store.candles.put(saved)
        return saved


def joined(known: CandleFrame, fresh: CandleFrame) -> CandleFrame | None:
    """Return `known` with what `fresh` has after its end, itself where that is nothing.

    None where they do not fit together: other columns or zone, a stretch between them that neither has, prices that
    were rescaled or changed by more than a vendor's correction.
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


def _request(follow: Follow, saved: CandleSet) -> dict[str, Any]:
    """Return the request of a forecast from the newest candle.

    A follow without a seed gets one that depends on the candle: done again after the program was stopped in between, it
    is the same forecast.
    """
    settings = dict(follow.settings)
    if settings.get("seed") is None:
        name = f"{follow.id} {saved.candles.timestamps[-1].isoformat()}"
        settings["seed"] = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    settings["lookback"] = min(int(settings["lookback"]), len(saved.candles))
    return {**settings, "candles_id": saved.id}
