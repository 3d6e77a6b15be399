"""Holes in a series that is too short to distinguish a break in trading from missing candles."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data.calendars.clock import DAY, SECOND, Nanoseconds
from kronos_app.data.calendars.sessions import common_step

ENOUGH = 3  # days that had no candle at a time of day: then the market is closed at it
LONGEST = 6 * DAY  # in a longer series every time of day has passed often enough


def unclear_holes(times: Nanoseconds) -> pd.Series[int]:
    """Return the number of candles that fit into each hole at a time of day that has passed fewer than three times.

    The index has the time of the candle before the hole. Holes over a weekend are left out, and so are series whose
    steps are no candles.
    """
    step = common_step(times)
    none = pd.Series(times[:0], index=pd.DatetimeIndex([]))
    if len(times) < 3 or not SECOND <= step < DAY or times[-1] - times[0] > LONGEST:
        return none
    steps = np.diff(times)
    if np.mean(steps == step) < 0.5:  # ticks
        return none
    count = steps // step - 1
    at = np.flatnonzero((count > 0) & ~_over_weekend(times))
    unclear = [i for i in at if _passed(times, int(times[i]) + step, step, int(count[i])) < ENOUGH]
    return pd.Series(count[unclear], index=pd.DatetimeIndex(times[unclear].astype("datetime64[ns]")))


def _passed(times: Nanoseconds, first: int, step: int, count: int) -> int:
    """Return how often the time of day with the fewest passings in a hole has passed without any candle at it.

    ENOUGH where candles at these times show on other days that the pattern knows them, so that gaps count the hole.
    """
    fewest = ENOUGH
    for time in first + step * np.arange(min(count, DAY // step), dtype=np.int64):
        days = np.arange(-(LONGEST // DAY), LONGEST // DAY + 1) * DAY + time
        days = days[(days > times[0]) & (days < times[-1])]
        if not np.isin(days, times).any():
            fewest = min(fewest, len(days))
    return fewest


def _over_weekend(times: Nanoseconds) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for each step whether a whole Saturday or Sunday lies in it."""
    day = -(-times[:-1] // DAY)  # the first whole day after the candle
    last = times[1:] // DAY
    weekend = np.zeros(len(day), dtype=bool)
    for ahead in range(LONGEST // DAY + 1):
        weekend |= ((day + ahead + 3) % 7 >= 5) & (day + ahead < last)
    return weekend
