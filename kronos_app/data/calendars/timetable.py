"""Calendars: the days and hours on which a market trades, as exchanges publish them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, convert, midnight, nanoseconds, weekday
from kronos_app.i18n import Text

# The range read of exchange_calendars: usually from 2000 on, all of it when earlier days are needed.
USUALLY, EARLIEST, LATEST = pd.Timestamp("2000-01-01"), pd.Timestamp("1927-01-01"), pd.Timestamp("2040-12-31")
WORKDAYS = 5
USUAL = 250  # sessions from which the usual weekdays and hours are taken
RARE = 0.02  # share of these: a weekday with fewer sessions is not a trading day


@dataclass(frozen=True)
class Sessions:
    """Trading days, ascending, one row each.

    Attributes
    ----------
    days
        Midnight of the day that a session is named after, by the calendar's clock.
    hours
        `(sessions, 4)`: open, start and end of the break, close, counted from that midnight (negative where it opens
        the evening before). Without a break, both its times are the close.
    shift
        How far the calendar's clock is ahead of UTC at the open.
    """

    days: Nanoseconds
    hours: Nanoseconds
    shift: Nanoseconds

    def __len__(self) -> int:
        return len(self.days)

    def between(self, first: int, last: int) -> Sessions:
        """Return the sessions of the days from `first` to `last`, both included."""
        low, high = np.searchsorted(self.days, [first, last + 1])
        return Sessions(self.days[low:high], self.hours[low:high], self.shift[low:high])

    @cached_property
    def patterns(self) -> list[tuple[tuple[int, ...], Nanoseconds]]:
        """Return each distinct combination of hours and shift with its days, the most frequent first."""
        if not len(self):
            return []
        rows = np.column_stack([self.hours, self.shift])
        unique, which = np.unique(rows, axis=0, return_inverse=True)
        which = which.ravel()
        order = np.argsort(-np.bincount(which), kind="stable")
        return [(tuple(int(value) for value in unique[row]), self.days[which == row]) for row in order]


@dataclass(frozen=True)
class Timetable:
    """A published timetable: the zone of its clock, its sessions, and the first and last recorded day."""

    zone: str
    sessions: Sessions
    first: int
    last: int

    def sessions_beyond(self, days: Nanoseconds) -> Sessions:
        """Return sessions on `days` with the most usual hours of the nearest recorded sessions."""
        recorded, half = self.sessions, USUAL // 2
        near = np.clip(np.searchsorted(recorded.days, days), half, max(len(recorded) - half, half))
        hours = np.empty((len(days), 4), dtype=np.int64)
        for middle in np.unique(near):
            rows, count = np.unique(recorded.hours[middle - half : middle + half], axis=0, return_counts=True)
            hours[near == middle] = rows[np.argmax(count)]
        return Sessions(days, hours, _shift(days + hours[:, 0], self.zone))

    def workdays(self, first: int, last: int) -> Nanoseconds:
        """Return the days from `first` to `last` whose weekday usually has sessions."""
        near = self.sessions.days[-USUAL:] if first > self.last else self.sessions.days[:USUAL]
        usual = np.bincount(weekday(near), minlength=7) > RARE * len(near)
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        return np.asarray(days[usual[weekday(days)]])


@dataclass(frozen=True)
class Calendar(ABC):
    """The trading hours of a market: its key (in the registry and in `About.calendar`), name, and time zone."""

    key: str
    title: Text
    zone: str

    @abstractmethod
    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another, both included.

        With `foreseen`, as published beforehand: a day on which the market closed without notice counts as open.
        """


@dataclass(frozen=True)
class ExchangeCalendar(Calendar):
    """The timetable of an exchange by exchange_calendars, which is imported on first use.

    Beyond its recorded years (some exchanges publish holidays one year at a time) workdays count as sessions with the
    usual hours. `code` is its name in exchange_calendars; `unforeseen` are days, such as `2001-09-11`, on which it was
    closed and nobody knew the week before.
    """

    code: str
    unforeseen: tuple[str, ...] = ()

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another; see `Calendar`."""
        table = _timetable(self.code, first)
        recorded = table.sessions.between(first, last)
        extra = nanoseconds(pd.DatetimeIndex(self.unforeseen)) if foreseen and self.unforeseen else recorded.days[:0]
        days = [extra[(extra >= first) & (extra <= last) & ~np.isin(extra, recorded.days)]]
        if first < table.first:
            days.append(table.workdays(first, min(last, table.first - DAY)))
        if last > table.last:
            days.append(table.workdays(max(first, table.last + DAY), last))
        more = np.concatenate(days)
        return _merged(recorded, table.sessions_beyond(more)) if len(more) else recorded


_READING = Lock()


def _timetable(code: str, first: int) -> Timetable:
    with _READING:
        return _read(code, whole=first < USUALLY.value)


@cache
def _read(code: str, *, whole: bool) -> Timetable:
    from exchange_calendars.calendar_utils import _default_calendar_factories

    factory: Any = _default_calendar_factories[code]
    start = EARLIEST if whole else USUALLY
    start, end = max(start, factory.bound_min() or start), min(LATEST, factory.bound_max() or LATEST)
    calendar = factory(start=start, end=end)
    schedule = calendar.schedule
    zone = str(calendar.tz)
    days = nanoseconds(pd.DatetimeIndex(schedule.index))
    moments = np.column_stack([
        nanoseconds(pd.DatetimeIndex(schedule[name].fillna(schedule["close"])).tz_localize(None))
        for name in ("open", "break_start", "break_end", "close")
    ])  # fmt: skip
    local = convert(moments.ravel(), "UTC", zone).reshape(moments.shape)
    sessions = Sessions(days, local - days[:, None], local[:, 0] - moments[:, 0])
    return Timetable(zone, sessions, start.value, end.value)


def _merged(first: Sessions, second: Sessions) -> Sessions:
    days = np.concatenate([first.days, second.days])
    order = np.argsort(days, kind="stable")
    hours = np.concatenate([first.hours, second.hours])
    return Sessions(days[order], hours[order], np.concatenate([first.shift, second.shift])[order])


def _shift(opens: Nanoseconds, zone: str) -> Nanoseconds:
    return opens - convert(opens, zone, "UTC")


class CurrencyCalendar(Calendar):
    """Currencies: five days a week, each from 17:00 in New York to 17:00, the first on Sunday; no holidays."""

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another; see `Calendar`."""
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        days = days[weekday(days) < WORKDAYS]
        hours = np.tile(np.array([-7 * HOUR, 17 * HOUR, 17 * HOUR, 17 * HOUR], dtype=np.int64), (len(days), 1))
        return Sessions(days, hours, _shift(days - 7 * HOUR, self.zone))


class AlwaysCalendar(Calendar):
    """Markets that never close."""

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return every day from one to another, all of it."""
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        hours = np.tile(np.array([0, DAY, DAY, DAY], dtype=np.int64), (len(days), 1))
        return Sessions(days, hours, np.zeros_like(days))
