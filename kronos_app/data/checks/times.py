"""Candles that do not fit the rhythm of the series: other intervals, and a last candle that has not ended."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kronos_app.data.calendars.clock import DAY, Nanoseconds
from kronos_app.data.checks.runs import Run, runs_of

STRETCH = 40  # steps that are compared together
MOST_STEPS = 0.6  # of them that must agree: an interval of its own, not nights and holidays between ordinary candles
OTHER = 1.5  # times as long or as short; months differ by less
ON_GRID = 0.98  # of the candles: where nearly all keep to a grid, a last one that does not was cut off
LATEST_ZONE = pd.Timedelta(hours=14)


def other_intervals(times: Nanoseconds) -> list[Run]:
    """Return the stretches whose interval is not that of the series.

    The most frequent step of every 40 is compared with the most frequent of all.
    """
    steps = np.diff(times)
    count = len(steps) // STRETCH
    if not count:
        return []
    usual = _mode(steps)
    other = np.zeros(len(times), dtype=bool)
    for number in range(count):
        first = number * STRETCH
        end = first + STRETCH if number < count - 1 else len(steps)
        part = steps[first:end]
        step = _mode(part)
        if max(step / usual, usual / step) >= OTHER and np.mean(part == step) >= MOST_STEPS:
            other[first : end + 1] = True
    return runs_of(other)


def unfinished(times: Nanoseconds, step: int, length: int, zone: str | None, now: pd.Timestamp) -> bool:
    """Return whether the last candle had certainly not ended at `now`, or is cut off.

    Parameters
    ----------
    times
        Local to `zone`; without one the candle counts as ended once it can have ended anywhere on earth.
    step, length
        Nanoseconds between two candles, and how long the last one lasts.
    now
        With zone.
    """
    if not len(times) or step <= 0:
        return False
    return _cut_off(times, step) or _not_over(pd.Timestamp(int(times[-1]) + length), zone, now)


def _not_over(end: pd.Timestamp, zone: str | None, now: pd.Timestamp) -> bool:
    if zone is None:
        return bool(end.tz_localize("UTC") - LATEST_ZONE > now)
    return bool(end.tz_localize(zone, ambiguous=True, nonexistent="shift_forward") > now)


def _cut_off(times: Nanoseconds, step: int) -> bool:
    """Return whether the last time lies off the grid that all others keep to, as the running candle of some feeds."""
    grid = min(step, DAY)
    phases, count = np.unique(times[:-1] % grid, return_counts=True)
    if len(times) < STRETCH or len(phases) > 24:
        return False
    regular_phases = phases[count >= 2]
    regular = float(np.mean(np.isin(times[:-1] % grid, regular_phases))) >= ON_GRID
    return regular and int(times[-1] % grid) not in regular_phases and int(times[-1] - times[-2]) != step


def _mode(values: Nanoseconds) -> int:
    steps, count = np.unique(values, return_counts=True)
    return int(steps[np.argmax(count)])
