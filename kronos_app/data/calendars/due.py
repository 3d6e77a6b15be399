"""When the candles of a series fall due, by its calendar and by what it has shown so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from kronos_app.data import sessions as learned
from kronos_app.data.calendars import days, own, slots
from kronos_app.data.calendars.clock import (
    DAY,
    LAST_DAY,
    Nanoseconds,
    ascending,
    found_in,
    index,
    is_countable,
    midnight,
    nanoseconds,
)
from kronos_app.data.calendars.clocks import best_clock
from kronos_app.data.calendars.registry import ALWAYS, get
from kronos_app.data.calendars.timetable import Calendar
from kronos_app.data.sessions import FixedStep

YEAR = 366 * DAY  # hours of trading change over the years: how candles are cut is learned anew in each
RECENT_DAYS = 370 * DAY  # of daily candles, what tells how they are named
MOST_MISSING = 5_000_000  # candles named one by one


@dataclass(frozen=True)
class Schedule:
    """How a series follows a calendar.

    Attributes
    ----------
    share
        Part of its recent candles that stand where the calendar and their rhythm put them.
    between
        Returns the times due from one time to another by the series' own clock, both included; with True as they were
        known beforehand.
    """

    share: float
    between: Callable[[int, int, bool], Nanoseconds]


def future_timestamps(
    timestamps: pd.DatetimeIndex, horizon: int, timezone: str | None = None, calendar: str | None = None
) -> pd.DatetimeIndex:
    """Return the `horizon` times at which a series goes on, strictly ascending and after its last.

    Only the times handed in and the published timetable are looked at; days on which the market stayed shut without
    notice count as open. Where the series does not follow the calendar, its own pattern counts alone.

    Parameters
    ----------
    timestamps
        Naive, by the clock of `timezone`.
    timezone
        IANA name, `UTC` or an offset such as `UTC+08:00`; None for a series that does not say, taken for local to the
        exchange, or for UTC if that fits better.
    calendar
        Key of the calendar; None or `learned` for the series' own pattern.

    Raises
    ------
    InvalidInput
        With fewer than two different times, which show no step; or a calendar there is not.
    """
    found = get(calendar)
    times = learned.nanoseconds(timestamps)
    schedule = None if found is None or len(times) < 2 else follow(times, timezone, found)
    future = None if schedule is None else _after(schedule, times, horizon)
    return index(own.future(times, horizon, timezone) if future is None else future)


def gaps(timestamps: pd.DatetimeIndex, timezone: str | None = None, calendar: str | None = None) -> pd.Series[int]:
    """Return the number of candles missing after each time that has a gap behind it.

    By the calendar, where there is one that the series follows: holidays, early closes and breaks are no gaps then. By
    the series' own pattern otherwise, to which holidays are gaps, too.
    """
    found = get(calendar)
    times = learned.nanoseconds(timestamps)
    if found is None or len(times) < 3:
        return own.gaps(times, timezone)
    step = learned.common_step(times)
    if found.key == ALWAYS and step <= DAY:
        return _counted(times[:-1], FixedStep(step).missing(times[:-1], times[1:]))
    parts = []
    for part in _years(times, step):
        absent = _absent(part, timezone, found)
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
    """Return the times within the series at which a candle was due and is not there, as `gaps` counts them.

    For a stretch that somebody looks at, not for a whole history: each is named, and none if there are millions.

    Parameters
    ----------
    only_by_calendar
        Name none by the series' own pattern, which cannot tell a holiday from lost candles.
    """
    found = get(calendar)
    times = learned.nanoseconds(timestamps)
    if len(times) < 3 or (only_by_calendar and found is None):
        return index(times[:0])
    step = learned.common_step(times)
    parts = [times[:0]]
    for part in [times] if found is None else _years(times, step):
        always = found is not None and found.key == ALWAYS
        absent = None if found is None or always else _absent(part, timezone, found)
        if absent is None and only_by_calendar and not always:
            continue
        if absent is None:
            absent = _named(
                part,
                gaps(index(part), timezone, calendar if always else None),
                timezone,
                step if always and step <= DAY else None,
            )
        parts.append(absent)
    named = ascending(np.concatenate(parts))
    return index(named[~found_in(named, times)])  # a pattern may run on past a gap that does not fit it


def share(timestamps: pd.DatetimeIndex, timezone: str | None, calendar: str | None) -> float | None:
    """Return the part of the recent candles that a calendar accounts for; None where it is not followed or none."""
    found = get(calendar)
    times = learned.nanoseconds(timestamps)
    schedule = None if found is None or len(times) < 2 else follow(times, timezone, found)
    return None if schedule is None else schedule.share


def follow(times: Nanoseconds, timezone: str | None, calendar: Calendar) -> Schedule | None:
    """Return how a series of at least two ascending times follows a calendar, None where it does not."""
    step = learned.common_step(times[-learned.MOST :])
    if calendar.key == ALWAYS:
        return _round_the_clock(times, step)
    if not is_countable(times):
        return None
    return _by_day(times, timezone, calendar) if step >= DAY else _within_day(times, step, timezone, calendar)


def _round_the_clock(times: Nanoseconds, step: int) -> Schedule | None:
    if step > DAY:
        return None  # months and the like have a pattern, but no hours
    phase = _mode(times[-500:] % step)

    def between(first: int, last: int, foreseen: bool) -> Nanoseconds:  # noqa: ARG001  # as all rules are asked
        start = first + (phase - first) % step
        return np.arange(start, last + 1, step, dtype=np.int64)

    return Schedule(float(np.mean(times[-500:] % step == phase)), between)


def _within_day(times: Nanoseconds, step: int, timezone: str | None, calendar: Calendar) -> Schedule | None:
    recent = times[times > times[-1] - slots.RECENT]
    clock = best_clock(times, step, timezone, calendar)
    found = slots.fit(ascending(clock.to(recent, calendar.zone)), step, calendar)
    if found is None:
        return None

    def between(first: int, last: int, foreseen: bool) -> Nanoseconds:
        low, high = clock.to(np.array([first, last], dtype=np.int64), calendar.zone)
        open_ = calendar.sessions(midnight(int(low)) - 2 * DAY, midnight(int(high)) + 2 * DAY, foreseen=foreseen)
        due = ascending(clock.of(found.times(open_), calendar.zone))
        return due[(due >= first) & (due <= last)]

    return Schedule(found.share, between)


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
        open_ = calendar.sessions(int(min(low, anchor)) - wide, int(max(high, anchor)) + wide, foreseen=foreseen)
        due = labels.times(rhythm.days(open_), timezone)
        return due[(due >= first) & (due <= last)]

    return Schedule(labels.share, between)


def _after(schedule: Schedule, times: Nanoseconds, horizon: int) -> Nanoseconds | None:
    """Return the next times due, None where the timetable goes on for ever without them."""
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
    """Yield stretches that share their edges, a year each where candles are shorter than a day."""
    if step >= DAY:
        yield times
        return
    year = (times - times[0]) // YEAR
    bounds = [*np.flatnonzero(np.diff(year, prepend=-1)), len(times) - 1]
    for start, end in pairwise(bounds):
        yield times[start : end + 1]


def _absent(times: Nanoseconds, timezone: str | None, calendar: Calendar) -> Nanoseconds | None:
    """Return the times at which a candle was due and is not there, None where the calendar is not followed."""
    schedule = follow(times, timezone, calendar) if len(times) > 1 else None
    if schedule is None:
        return None
    due = schedule.between(int(times[0]), int(times[-1]), False)
    beside = times[~found_in(times, due)]
    absent = due[~found_in(due, times)]
    if len(beside) and len(absent):  # a candle beside its time is not missing
        at = np.searchsorted(beside, absent)
        before, after = beside[np.maximum(at - 1, 0)], beside[np.minimum(at, len(beside) - 1)]
        distance = np.minimum(np.abs(absent - before), np.abs(after - absent))
        absent = absent[distance > learned.common_step(times) // 2]
    return absent


def _named(times: Nanoseconds, holes: pd.Series[int], timezone: str | None, step: int | None) -> Nanoseconds:
    """Return the times within holes, every `step` where it is not None, by the pattern of the series otherwise."""
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


def _mode(values: Nanoseconds) -> int:
    found, count = np.unique(values, return_counts=True)
    return int(found[np.argmax(count)])
