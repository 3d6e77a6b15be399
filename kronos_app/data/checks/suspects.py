"""All checks of one series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kronos_app.data import calendars
from kronos_app.data.calendars.clock import DAY, Nanoseconds
from kronos_app.data.calendars.sessions import common_step, nanoseconds
from kronos_app.data.candle_frame import PRICES
from kronos_app.data.checks.returns import Mask, Numbers, Prices, deviations, jumps, spikes, wicks
from kronos_app.data.checks.runs import Run, cover, silent_runs, stale_runs
from kronos_app.data.checks.splits import Split, find_splits
from kronos_app.data.checks.times import other_intervals, unfinished

FEWEST = 3  # candles that an outlier needs as neighbours


@dataclass(frozen=True)
class Suspects:
    """What is suspicious about fault-free candles in the order of time; everything by position."""

    outliers: Mask  # candles whose close, high or low leaves its neighbours and is back with the next candle
    jumps: Mask  # candles that open another level, for which no split accounts
    splits: list[Split]
    stale: list[Run]
    silent: list[Run]
    mixed: list[Run]
    unfinished: bool  # whether the last candle had not ended

    @property
    def any(self) -> bool:
        """Return whether anything was found."""
        lists = (self.splits, self.stale, self.silent, self.mixed)
        return self.unfinished or any(lists) or bool(self.outliers.any() or self.jumps.any())


def suspect(
    frame: pd.DataFrame, *, timezone: str | None = None, calendar: str | None = None, now: pd.Timestamp | None = None
) -> Suspects:
    """Return what is suspicious about candles.

    Parameters
    ----------
    frame
        `timestamp`, strictly ascending, `open high low close`, all above zero, and perhaps `volume`.
    timezone, calendar
        Of the series, where known; they decide when its last candle ends.
    now
        The time at which the candles were read, with zone; default the present.
    """
    times = nanoseconds(pd.DatetimeIndex(frame["timestamp"]))
    return suspect_arrays(
        frame[list(PRICES)].to_numpy(np.float64),
        frame["volume"].to_numpy(np.float64) if "volume" in frame else None,
        mixed=other_intervals(times) if len(times) >= FEWEST else [],
        unfinished=is_unfinished(times, timezone=timezone, calendar=calendar, now=now),
    )


def suspect_arrays(values: Numbers, volume: Numbers | None, *, mixed: list[Run], unfinished: bool) -> Suspects:
    """Return what is suspicious about candles of which the times are judged already.

    Parameters
    ----------
    values
        `(n, 4)`, open, high, low and close, all above zero, in the order of time.
    volume
        `(n,)`, None where there is none.
    mixed, unfinished
        What `suspect` returns.
    """
    if len(values) < FEWEST:
        nothing = np.zeros(len(values), dtype=bool)
        return Suspects(nothing, nothing, [], [], [], [], unfinished=False)
    prices = Prices.of(values)
    deviation = deviations(prices.close)
    if volume is not None and not volume.any():
        volume = None  # a column of zeros means that volume is unknown
    splits = find_splits(prices, deviation, volume)
    leaps = jumps(prices, deviation)
    leaps[[split.position for split in splits]] = False
    stale = stale_runs(values, volume)
    silent = [] if volume is None else silent_runs(volume, cover(stale, len(values)))
    return Suspects(
        outliers=spikes(prices, deviation) | wicks(prices, deviation),
        jumps=leaps,
        splits=splits,
        stale=stale,
        silent=silent,
        mixed=mixed,
        unfinished=unfinished,
    )


def is_unfinished(
    times: Nanoseconds, *, timezone: str | None = None, calendar: str | None = None, now: pd.Timestamp | None = None
) -> bool:
    """Return whether the last of the ascending times is of a candle that had not ended; parameters as for `suspect`."""
    if len(times) < FEWEST:
        return False
    step = common_step(times)
    length = _until_close(int(times[-1]), timezone, calendar) if step == DAY else step
    return unfinished(times, step, length, timezone, pd.Timestamp.now("UTC") if now is None else now)


def _until_close(last: int, timezone: str | None, calendar: str | None) -> int:
    """Return how long a day's candle lasts: until the market closes, where a calendar by the same clock knows that."""
    sessions = calendars.get(calendar)
    if sessions is None or sessions.zone != timezone or last % DAY:
        return DAY
    day = sessions.sessions(last, last)
    return int(day.hours[0, -1]) if len(day) else DAY
