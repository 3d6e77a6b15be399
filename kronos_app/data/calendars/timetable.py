"""Calendars: the days on which a market trades, and from when to when, as exchanges publish them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Protocol

import numpy as np
import pandas as pd

from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, convert, midnight, nanoseconds
from kronos_app.i18n import Text

# What is read of exchange_calendars, as far as it has it: the usual range at first, all of it when it is asked for.
USUALLY, EARLIEST, LATEST = pd.Timestamp("2000-01-01"), pd.Timestamp("1927-01-01"), pd.Timestamp("2040-12-31")
WORKDAYS = 5
USUAL = 250  # sessions that say what days of the week and hours are usual
RARE = 0.02  # of these: less than a day of the week that has sessions, more than one that had some once


@dataclass(frozen=True)
class Sessions:
    """Trading days, ascending, a row each.

    Attributes
    ----------
    days
        Midnight of the day a session is named after, by the calendar's clock.
    hours
        `(sessions, 4)`: when it opens, breaks, goes on and closes, counted from that midnight and so negative where it
        opens the evening before. Without a break it breaks and goes on as it closes.
    shift
        How far the calendar's clock is ahead of UTC as it opens.
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
        """Return what hours and shift there are, the most frequent first, each with the days that have them."""
        if not len(self):
            return []
        rows = np.column_stack([self.hours, self.shift])
        unique, which = np.unique(rows, axis=0, return_inverse=True)
        which = which.ravel()
        order = np.argsort(-np.bincount(which), kind="stable")
        return [(tuple(int(value) for value in unique[row]), self.days[which == row]) for row in order]


@dataclass(frozen=True)
class Timetable:
    """What an exchange has published: the zone of its clock, sessions, and the days they are recorded from and to."""

    zone: str
    sessions: Sessions
    first: int
    last: int

    def sessions_beyond(self, days: Nanoseconds) -> Sessions:
        """Return sessions on `days` with the hours most usual about the nearest that are recorded."""
        known, half = self.sessions, USUAL // 2
        near = np.clip(np.searchsorted(known.days, days), half, max(len(known) - half, half))
        hours = np.empty((len(days), 4), dtype=np.int64)
        for middle in np.unique(near):
            rows, count = np.unique(known.hours[middle - half : middle + half], axis=0, return_counts=True)
            hours[near == middle] = rows[np.argmax(count)]
        return Sessions(days, hours, _shift(days + hours[:, 0], self.zone))

    def workdays(self, first: int, last: int) -> Nanoseconds:
        """Return the days of the week that have sessions, from one day to another."""
        near = self.sessions.days[-USUAL:] if first > self.last else self.sessions.days[:USUAL]
        usual = np.bincount(_weekday(near), minlength=7) > RARE * len(near)
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        found: Nanoseconds = days[usual[_weekday(days)]]
        return found


class Calendar(Protocol):
    """When a market trades."""

    @property
    def key(self) -> str:
        """Return its name in the registry and in `About.calendar`."""
        ...

    @property
    def title(self) -> Text:
        """Return its name for people."""
        ...

    @property
    def zone(self) -> str:
        """Return the zone of its clock."""
        ...

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another, both included.

        Parameters
        ----------
        foreseen
            As they were published beforehand: a day on which the market stayed shut without notice counts as open.
        """
        ...


class ExchangeCalendar:
    """The timetable of an exchange by exchange_calendars, which is imported when it is first asked.

    Where it is not recorded (some exchanges publish their holidays a year at a time) workdays count as sessions with
    the usual hours.

    Parameters
    ----------
    code
        The name exchange_calendars has for it.
    unforeseen
        Days, such as `2001-09-11`, on which it stayed shut and nobody knew the week before.
    """

    def __init__(self, key: str, title: Text, code: str, unforeseen: Iterable[str] = ()) -> None:
        self.key = key
        self.title = title
        self._code = code
        self._unforeseen = tuple(unforeseen)
        self._lock = Lock()
        self._read: Timetable | None = None
        self._whole = False

    @property
    def zone(self) -> str:
        """Return the zone of the exchange."""
        return self._table().zone

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another; see `Calendar`."""
        table = self._table(first)
        found = table.sessions.between(first, last)
        extra = nanoseconds(pd.DatetimeIndex(self._unforeseen)) if foreseen and self._unforeseen else found.days[:0]
        days = [extra[(extra >= first) & (extra <= last) & ~np.isin(extra, found.days)]]
        if first < table.first:
            days.append(table.workdays(first, min(last, table.first - DAY)))
        if last > table.last:
            days.append(table.workdays(max(first, table.last + DAY), last))
        more = np.concatenate(days)
        return _merged(found, table.sessions_beyond(more)) if len(more) else found

    def _table(self, first: int = USUALLY.value) -> Timetable:
        with self._lock:
            if self._read is None or (first < USUALLY.value and not self._whole):
                self._whole = first < USUALLY.value
                self._read = _read(self._code, EARLIEST if self._whole else USUALLY)
            return self._read


def _read(code: str, start: pd.Timestamp) -> Timetable:
    from exchange_calendars.calendar_utils import _default_calendar_factories

    factory: Any = _default_calendar_factories[code]
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


def _merged(one: Sessions, other: Sessions) -> Sessions:
    days = np.concatenate([one.days, other.days])
    order = np.argsort(days, kind="stable")
    hours = np.concatenate([one.hours, other.hours])
    return Sessions(days[order], hours[order], np.concatenate([one.shift, other.shift])[order])


def _weekday(days: Nanoseconds) -> Nanoseconds:
    """Return 0 for Monday to 6 for Sunday."""
    return (days // DAY + 3) % 7


def _shift(opens: Nanoseconds, zone: str) -> Nanoseconds:
    return opens - convert(opens, zone, "UTC")


@dataclass(frozen=True)
class CurrencyCalendar:
    """Currencies: five days a week, each from 17:00 in New York to 17:00, the first on Sunday; no holidays."""

    key: str
    title: Text
    zone: str = "America/New_York"

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another; see `Calendar`."""
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        days = days[_weekday(days) < WORKDAYS]
        hours = np.tile(np.array([-7 * HOUR, 17 * HOUR, 17 * HOUR, 17 * HOUR], dtype=np.int64), (len(days), 1))
        return Sessions(days, hours, _shift(days - 7 * HOUR, self.zone))


@dataclass(frozen=True)
class AlwaysCalendar:
    """Markets that never close."""

    key: str
    title: Text
    zone: str = "UTC"

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another: every day, all of it."""
        days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
        hours = np.tile(np.array([0, DAY, DAY, DAY], dtype=np.int64), (len(days), 1))
        return Sessions(days, hours, np.zeros_like(days))
