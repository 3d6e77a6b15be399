"""Candles of a day and longer: one per session, every n-th session, the first or last of each week or month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kronos_app.data.calendars.clock import DAY, WEEK, Nanoseconds, convert, index, most_frequent, weekday
from kronos_app.data.calendars.timetable import Calendar, Sessions

FITS = 0.8  # least share of the candles
MOST_APART = 4  # sessions between two candles; beyond that, candles follow weeks or months
EVEN = 0.9  # least share of the steps
SEVERAL, REGULAR = 3, 0.5  # occurrences of a weekday, and share with candles, that make its candles regular
PERIOD_FITS, TINY = 0.95, 1e-9
TURNS = (0, DAY, -DAY)  # a candle may be dated a day before its session, or a day after

Side = Literal["first", "last"]


@dataclass(frozen=True)
class Labels:
    """How the time of a candle identifies its session, and the share of candles that do so.

    `zone` is the zone whose clock is used, None for that of the series; `time` the time of day; `turn` the offset of
    the session's day from the day of the candle.
    """

    zone: str | None
    time: int
    turn: int
    share: float

    def days(self, times: Nanoseconds, zone: str | None) -> Nanoseconds:
        """Return the session days of candles of a series in `zone`, None for UTC."""
        local = times if self.zone is None else convert(times, zone or "UTC", self.zone)
        return (local - self.time) // DAY * DAY + self.turn

    def times(self, days: Nanoseconds, zone: str | None) -> Nanoseconds:
        """Return the candle times of session days, by the clock of a series in `zone`."""
        local = days - self.turn + self.time
        return local if self.zone is None else convert(local, self.zone, zone or "UTC")


def label(times: Nanoseconds, zone: str | None, calendar: Calendar) -> Labels | None:
    """Return how daily or longer candles identify their sessions, None where they do not follow the calendar."""
    best, rank = None, (-1.0, False, False, False)
    table = calendar.sessions(int(times[0]) - 3 * DAY, int(times[-1]) + 3 * DAY)
    sessions = table.days
    for clock in (None, calendar.zone) if zone != calendar.zone else (None,):
        local = times if clock is None else convert(times, zone or "UTC", clock)
        time = most_frequent(local % DAY)
        same = local % DAY == time
        for turn in TURNS:
            share = float(np.mean(same & np.isin(local - time + turn, sessions)))
            # Within one season several zones fit equally: prefer midnight, then an open or a close.
            local_zone = (zone if clock is None else clock) == calendar.zone
            edge = local_zone and bool((table.hours[:, (0, 3)] % DAY == time).any())
            this = (share, time == 0, edge, turn == 0)
            if this > rank:
                best, rank = Labels(clock, time, turn, share), this
    if best is None or best.share < FITS or _trades_when_closed(best.days(times, zone), sessions):
        return None
    return best


def _trades_when_closed(days: Nanoseconds, sessions: Nanoseconds) -> bool:
    """Return whether a weekday without sessions regularly has candles, as Sunday has for currencies in UTC."""
    span = np.arange(days.min(), days.max() + 1, DAY, dtype=np.int64)
    weekdays = weekday(span)
    chances = np.bincount(weekdays, minlength=7)
    open_ = np.bincount(weekdays[np.isin(span, sessions)], minlength=7)
    candles = np.bincount(weekdays[np.isin(span, days)], minlength=7)
    return bool(((open_ == 0) & (chances >= SEVERAL) & (candles >= REGULAR * chances)).any())


@dataclass(frozen=True)
class EverySession:
    """A candle every `step` sessions, counted from the day `anchor`."""

    step: int
    anchor: int

    def days(self, sessions: Sessions) -> Nanoseconds:
        """Return the days that have a candle; the sessions must contain the anchor."""
        zero = np.searchsorted(sessions.days, self.anchor)
        return np.asarray(sessions.days[(np.arange(len(sessions)) - zero) % self.step == 0])


@dataclass(frozen=True)
class Period:
    """A candle every week (`months` is 0) or every `months` months, dated by its first or last session."""

    months: int
    side: Side

    def days(self, sessions: Sessions) -> Nanoseconds:
        """Return the days that have a candle, without the periods at the edges, which may be incomplete."""
        days = sessions.days
        if self.months:
            moments = index(days)
            period = np.asarray((moments.year * 12 + moments.month - 1) // self.months)
        else:
            period = (days + 3 * DAY) // WEEK
        turn = np.flatnonzero(np.diff(period)) + 1
        return np.asarray(days[turn] if self.side == "first" else days[turn - 1])


Rhythm = EverySession | Period


def rhythm(days: Nanoseconds, calendar: Calendar) -> Rhythm | None:
    """Return how the days of candles follow the sessions, None where a fixed weekday or date fits better."""
    sessions = calendar.sessions(int(days[0]) - 100 * DAY, int(days[-1]) + 100 * DAY)
    position = np.searchsorted(sessions.days, days[np.isin(days, sessions.days)])
    steps = np.diff(position)
    if len(steps):
        step = most_frequent(steps)
        if 1 <= step <= MOST_APART and np.mean(steps % step == 0) >= EVEN:
            return EverySession(step, int(sessions.days[position[-1]]))
    plain = np.mean((days - days[-1]) % WEEK == 0)
    months = _months(float(np.median(np.diff(days))) / DAY)
    if months is None:
        return None
    for side in ("last", "first"):
        period = Period(months, side)
        due = period.days(sessions)
        due = due[(due >= days[0]) & (due <= days[-1])]
        if np.mean(np.isin(days, due)) >= max(PERIOD_FITS, plain + TINY) and len(due) <= 1.1 * len(days) + 1:
            return period
    return None


def _months(step: float) -> int | None:
    """Return the number of months of a median step in days, 0 for a week, None for anything else."""
    if 6 <= step <= 8:
        return 0
    return next((m for m, low, high in ((1, 28, 31.5), (3, 89, 93), (12, 363, 367)) if low <= step <= high), None)
