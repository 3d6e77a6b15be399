"""Night sessions that a file dates by their trading day, dated back to the evening on which they took place."""

from __future__ import annotations

import numpy as np

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import Integers, Mask
from kronos_app.data.upload.times.values import DAY, SECOND, Times
from kronos_app.i18n import text

HOUR = 3600 * SECOND
EVENING, MORNING = 17 * HOUR, 6 * HOUR  # a night session is between them
PAUSE = 3 * HOUR  # after a night; a market without one trades round the clock
FIRST_MONDAY = 4  # 1970-01-05, in days


def restore(times: Times) -> tuple[Times, tuple[Finding, ...]]:
    """Return times with the nights of trading days dated back, and a warning that says so.

    In such a file the rows of a day begin with its evening, or with what follows midnight, and its morning comes after.
    Monday's night was Friday's, unless the market does not pause before the morning: then it was Sunday's. Where rows
    do not show that plainly, times stay unchanged and the warning says so.

    Parameters
    ----------
    times
        Times on the clock in the order of the file, oldest or newest first.
    """
    good = np.flatnonzero(~np.isnat(times))
    nanoseconds = times[good].astype(np.int64)
    if len(nanoseconds) < 2:
        return times, ()
    days = nanoseconds // DAY
    newest_first = int((np.diff(days) < 0).sum()) > int((np.diff(days) > 0).sum())
    if newest_first:
        good, nanoseconds, days = good[::-1], nanoseconds[::-1], days[::-1]
    clock = nanoseconds - days * DAY
    turns = _night_before_morning(days, clock)
    if not turns.any():
        return times, ()
    if _has_evening_behind(days, clock, turns):
        return times, (_unclear(),) if turns.sum() > 1 else ()
    evening, after_midnight = clock >= EVENING, _after_midnight(days, clock)
    weekday = (days - FIRST_MONDAY) % 7
    pauses = bool(after_midnight.any()) or not (clock < MORNING).any()
    back = np.where(pauses & (weekday == 0), 3, 1)
    restored = nanoseconds - DAY * np.where(evening, back, 0) - DAY * np.where(after_midnight, back - 1, 0)
    steps = np.diff(restored)
    if (steps[np.diff(days) >= 0] < 0).any():
        return times, (_unclear(),)
    result = times.copy()
    result[good] = restored.astype("datetime64[ns]")
    return result, (_dated_back(int((evening | after_midnight).sum()), clock[evening]),)


def _night_before_morning(days: Integers, clock: Integers) -> Mask:
    """Return after which rows an evening is followed by an earlier clock of the same day, nowhere in other disorder."""
    back = np.asarray((np.diff(days) == 0) & (np.diff(clock) < 0), dtype=bool)
    if ((clock[:-1] < EVENING) | (clock[1:] >= EVENING))[back].any():
        return np.zeros(len(back), dtype=bool)
    return back


def _has_evening_behind(days: Integers, clock: Integers, turns: Mask) -> bool:
    """Return whether an evening also comes behind its day, or a day turns round twice."""
    same_day = np.diff(days) == 0
    by_day = (clock >= MORNING) & (clock < EVENING)
    group = np.cumsum(np.r_[True, ~same_day])
    turns_twice = int(np.bincount(group[1:][turns]).max()) > 1
    return turns_twice or bool((same_day & by_day[:-1] & (clock[1:] >= EVENING)).any())


def _after_midnight(days: Integers, clock: Integers) -> Mask:
    """Return which rows are the part of a night after midnight: before the morning, with a pause behind them."""
    early = clock < MORNING
    last = early & np.r_[~early[1:] | (np.diff(days) != 0), True]
    pause = np.r_[np.diff(clock) >= PAUSE, False] | np.r_[np.diff(days) != 0, True]
    # Each run of early rows ends with one last row, which decides for the run.
    run = np.cumsum(np.r_[True, last[:-1]])
    ends_in_pause = np.zeros(int(run.max()) + 1, dtype=bool)
    ends_in_pause[run[last]] = pause[last]
    return np.asarray(early & ends_in_pause[run], dtype=bool)


def _dated_back(count: int, evenings: Integers) -> Finding:
    first = np.datetime64(int(evenings.min()), "ns").astype("datetime64[m]").astype(str)[-5:]
    message = text(
        "The dates are trading days: {count} candles of night sessions (from {time}) were dated back to the evening "
        "before, those of a Monday to Friday night where the market pauses.",
        count=count, time=first,
    )  # fmt: skip
    return Finding("night_session", "warning", message)


def _unclear() -> Finding:
    message = text(
        "Days begin with a night session, so their dates are trading days. The real times are "
        "unknown, and night candles follow those of their day."
    )
    return Finding("night_session", "warning", message)
