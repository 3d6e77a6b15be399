"""When the candles of a series are due, by its calendar and by its own history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from kronos_app.data.calendars import days, own, slots
from kronos_app.data.calendars import sessions as learned
from kronos_app.data.calendars.clock import (
    DAY,
    LAST_DAY,
    Nanoseconds,
    ascending,
    contained,
    index,
    is_countable,
    midnight,
    most_frequent,
    nanoseconds,
)
from kronos_app.data.calendars.clocks import best_clock
from kronos_app.data.calendars.registry import ALWAYS, get
from kronos_app.data.calendars.sessions import FixedStep
from kronos_app.data.calendars.timetable import Calendar

YEAR = 366 * DAY  # trading hours change over the years, so the grid of candles is fitted to each year
RECENT_DAYS = 370 * DAY  # history of daily candles that shows how they are dated
MOST_MISSING = 5_000_000  # missing candles that are listed one by one


@dataclass(frozen=True)
class Schedule:
    """How a series follows a calendar: the share of its recent candles at due times, and a function for due times.

    `between` returns them from one time to another, both included, by the clock of the series; with True as they were
    known beforehand.
    """

    share: float
    between: Callable[[int, int, bool], Nanoseconds]


def future_timestamps(
    timestamps: pd.DatetimeIndex, horizon: int, timezone: str | None = None, calendar: str | None = None
) -> pd.DatetimeIndex:
    """Return the next `horizon` times of a series, strictly ascending and after its last.

    They follow only from the times passed in and the published timetable; days on which the market closed without
    notice count as open. Where the series does not follow the calendar, its own pattern is used.

    Parameters
    ----------
    timestamps
        Naive, by the clock of `timezone`.
    timezone
        IANA name, `UTC` or an offset such as `UTC+08:00`; None where it is not known: then exchange time, or UTC if
        that fits better.
    calendar
        Key of the calendar; None or `learned` for the series' own pattern.

    Raises
    ------
    InvalidInput
        Fewer than two different times, or an unknown calendar.
    """
    times = learned.nanoseconds(timestamps)
    schedule = _schedule(times, timezone, calendar)
    future = None if schedule is None else _after(schedule, times, horizon)
    return index(own.future(times, horizon, timezone) if future is None else future)


def gaps(timestamps: pd.DatetimeIndex, timezone: str | None = None, calendar: str | None = None) -> pd.Series[int]:
    """Return the number of candles missing after each time that a gap follows.

    By the calendar where the series follows one: holidays, early closes and breaks are then no gaps. Otherwise by the
    series' own pattern, for which holidays are gaps.
    """
    market = get(calendar)
    times = learned.nanoseconds(timestamps)
    if market is None or len(times) < 3:
        return own.gaps(times, timezone)
    step = learned.common_step(times)
    if market.key == ALWAYS and step <= DAY:
        return _counted(times[:-1], FixedStep(step).missing(times[:-1], times[1:]))
    parts = []
    for part in _years(times, step):
        absent = _absent(part, timezone, market)
        if absent is None:
            parts.append(own.gaps(part, timezone))
        else:
            parts.append(_counted(part, np.bincount(np.searchsorted(part, absent) - 1, minlength=len(part))))
    return pd.concat(parts) if len(parts) > 1 else parts[0]


def missing(
    timestamps: pd.DatetimeIndex,
    timezone: str | None = None,
    calendar: str | None = None,
    *,
    only_by_calendar: bool = False,
) -> pd.DatetimeIndex:
    """Return the times within a series at which a candle was due and is missing, as `gaps` counts them.

    Meant for a visible range, not a whole history: more than `MOST_MISSING` are not listed at all. With
    `only_by_calendar`, the series' own pattern is not used, because it cannot tell a holiday from lost candles.
    """
    market = get(calendar)
    times = learned.nanoseconds(timestamps)
    if len(times) < 3 or (only_by_calendar and market is None):
        return index(times[:0])
    if market is None:
        absent = _listed(times, own.gaps(times, timezone), timezone)
    elif market.key == ALWAYS:
        step = learned.common_step(times)
        holes = gaps(timestamps, timezone, calendar)
        absent = _listed(times, holes, timezone, step if step <= DAY else None)
    else:
        parts = [times[:0]]
        for part in _years(times, learned.common_step(times)):
            by_calendar = _absent(part, timezone, market)
            if by_calendar is not None:
                parts.append(by_calendar)
            elif not only_by_calendar:
                parts.append(_listed(part, own.gaps(part, timezone), timezone))
        absent = np.concatenate(parts)
    absent = ascending(absent)
    return index(absent[~contained(absent, times)])  # a pattern may continue past a gap that does not fit it


def share(timestamps: pd.DatetimeIndex, timezone: str | None, calendar: str | None) -> float | None:
    """Return the share of the recent candles at due times of a calendar; None where it is not followed or None."""
    schedule = _schedule(learned.nanoseconds(timestamps), timezone, calendar)
    return None if schedule is None else schedule.share


def _schedule(times: Nanoseconds, timezone: str | None, calendar: str | None) -> Schedule | None:
    market = get(calendar)
    return None if market is None or len(times) < 2 else find_schedule(times, timezone, market)


def find_schedule(times: Nanoseconds, timezone: str | None, calendar: Calendar) -> Schedule | None:
    """Return how a series of at least two ascending times follows a calendar, None where it does not."""
    step = learned.common_step(times[-learned.MOST :])
    if calendar.key == ALWAYS:
        return _round_the_clock(times, step)
    if not is_countable(times):
        return None
    return _by_day(times, timezone, calendar) if step >= DAY else _within_day(times, step, timezone, calendar)


def _round_the_clock(times: Nanoseconds, step: int) -> Schedule | None:
    if step > DAY:
        return None  # months have a pattern of their own
    phase = most_frequent(times[-500:] % step)

    def between(first: int, last: int, foreseen: bool) -> Nanoseconds:  # noqa: ARG001 - the signature of Schedule
        start = first + (phase - first) % step
        return np.arange(start, last + 1, step, dtype=np.int64)

    return Schedule(float(np.mean(times[-500:] % step == phase)), between)


def _within_day(times: Nanoseconds, step: int, timezone: str | None, calendar: Calendar) -> Schedule | None:
    recent = times[times > times[-1] - slots.RECENT]
    clock = best_clock(times, step, timezone, calendar)
    fitted = slots.fit(ascending(clock.to(recent, calendar.zone)), step, calendar)
    if fitted is None:
        return None

    def between(first: int, last: int, foreseen: bool) -> Nanoseconds:
        low, high = clock.to(np.array([first, last], dtype=np.int64), calendar.zone)
        sessions = calendar.sessions(midnight(int(low)) - 2 * DAY, midnight(int(high)) + 2 * DAY, foreseen=foreseen)
        due = ascending(clock.of(fitted.times(sessions), calendar.zone))
        return due[(due >= first) & (due <= last)]

    return Schedule(fitted.share, between)


def _by_day(times: Nanoseconds, timezone: str | None, calendar: Calendar) -> Schedule | None:
    recent = times[times > times[-1] - RECENT_DAYS] if learned.common_step(times) == DAY else times
    labels = days.label(recent, timezone, calendar)
    if labels is None or len(recent) < 2:
        return None
    rhythm = days.rhythm(ascending(labels.days(recent, timezone)), calendar)
    if rhythm is None:
        return None

    def between(first: int, last: int, foreseen: bool) -> Nanoseconds:
        low, high = labels.days(np.array([first, last], dtype=np.int64), timezone)
        wide, anchor = (400 * DAY, low) if isinstance(rhythm, days.Period) else (10 * DAY, rhythm.anchor)
        sessions = calendar.sessions(int(min(low, anchor)) - wide, int(max(high, anchor)) + wide, foreseen=foreseen)
        due = labels.times(rhythm.days(sessions), timezone)
        return due[(due >= first) & (due <= last)]

    return Schedule(labels.share, between)


def _after(schedule: Schedule, times: Nanoseconds, horizon: int) -> Nanoseconds | None:
    """Return the next due times, None where the timetable has no more."""
    last = int(times[-1])
    span = max(horizon * learned.common_step(times) * 2, 14 * DAY)
    while last + span < LAST_DAY:
        due = schedule.between(last, last + span, True)
        due = due[due > last]
        if len(due) >= horizon:
            return due[:horizon]
        span *= 2
    return None


def _years(times: Nanoseconds, step: int) -> Iterator[Nanoseconds]:
    """Yield consecutive parts that share their edges: a year each of intraday candles, else all."""
    if step >= DAY:
        yield times
        return
    year = (times - times[0]) // YEAR
    bounds = [*np.flatnonzero(np.diff(year, prepend=-1)), len(times) - 1]
    for start, end in pairwise(bounds):
        yield times[start : end + 1]


def _absent(times: Nanoseconds, timezone: str | None, calendar: Calendar) -> Nanoseconds | None:
    """Return the due times without a candle, None where the series does not follow the calendar."""
    schedule = find_schedule(times, timezone, calendar) if len(times) > 1 else None
    if schedule is None:
        return None
    due = schedule.between(int(times[0]), int(times[-1]), False)
    beside = times[~contained(times, due)]
    absent = due[~contained(due, times)]
    if len(beside) and len(absent):  # a due time with a candle near it is not missing
        at = np.searchsorted(beside, absent)
        before, after = beside[np.maximum(at - 1, 0)], beside[np.minimum(at, len(beside) - 1)]
        distance = np.minimum(np.abs(absent - before), np.abs(after - absent))
        absent = absent[distance > learned.common_step(times) // 2]
    return absent


def _listed(times: Nanoseconds, holes: pd.Series[int], timezone: str | None, step: int | None = None) -> Nanoseconds:
    """Return the times within holes: every `step`, or without one by the pattern of the series."""
    if holes.sum() > MOST_MISSING:
        return np.empty(0, dtype=np.int64)
    if step is None:
        return own.missing(times, holes, timezone)
    starts = nanoseconds(pd.DatetimeIndex(holes.index))
    parts = [FixedStep(step).after(int(start), int(count)) for start, count in zip(starts, holes, strict=True)]
    return np.concatenate([times[:0], *parts])


def _counted(times: Nanoseconds, count: Nanoseconds) -> pd.Series[int]:
    at = np.flatnonzero(count)
    return pd.Series(count[at].astype(np.int64), index=index(times[at]), dtype="int64")
