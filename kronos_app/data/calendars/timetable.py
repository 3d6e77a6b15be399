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

EARLIEST, LATEST = "1927-01-01", "2045-12-31"  # read from exchange_calendars, where an exchange sets no bound itself
WORKDAYS = 5
USUAL = 250  # sessions that say what hours are usual


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
        self._read: tuple[str, Sessions] | None = None

    @property
    def zone(self) -> str:
        """Return the zone of the exchange."""
        return self._table()[0]

    @property
    def recorded(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the first and the last day that the timetable is recorded for."""
        days = self._table()[1].days
        return pd.Timestamp(int(days[0])), pd.Timestamp(int(days[-1]))

    def sessions(self, first: int, last: int, *, foreseen: bool = False) -> Sessions:
        """Return the sessions from one day to another; see `Calendar`."""
        zone, table = self._table()
        found = table.between(first, last)
        extra = (
            nanoseconds(pd.DatetimeIndex(list(self._unforeseen))) if foreseen and self._unforeseen else table.days[:0]
        )
        more = [extra[(extra >= first) & (extra <= last) & ~np.isin(extra, found.days)]]
        if first < table.days[0]:
            more.append(_workdays(first, min(last, int(table.days[0]) - DAY)))
        if last > table.days[-1]:
            more.append(_workdays(max(first, int(table.days[-1]) + DAY), last))
        days = np.concatenate(more)
        return found if not len(days) else _merged(found, _usual(days, table, zone))

    def _table(self) -> tuple[str, Sessions]:
        with self._lock:
            if self._read is None:
                self._read = _read(self._code)
            return self._read


def _read(code: str) -> tuple[str, Sessions]:
    from exchange_calendars.calendar_utils import _default_calendar_factories

    factory: Any = _default_calendar_factories[code]
    start, end = factory.bound_min(), factory.bound_max()
    start = pd.Timestamp(EARLIEST) if start is None else max(start, pd.Timestamp(EARLIEST))
    end = pd.Timestamp(LATEST) if end is None else min(end, pd.Timestamp(LATEST))
    calendar = factory(start=start, end=end)
    schedule = calendar.schedule
    zone = str(calendar.tz)
    days = nanoseconds(pd.DatetimeIndex(schedule.index))
    moments = np.column_stack([
        nanoseconds(pd.DatetimeIndex(schedule[name].fillna(schedule["close"])).tz_localize(None))
        for name in ("open", "break_start", "break_end", "close")
    ])  # fmt: skip
    local = convert(moments.ravel(), "UTC", zone).reshape(moments.shape)
    return zone, Sessions(days, local - days[:, None], local[:, 0] - moments[:, 0])


def _workdays(first: int, last: int) -> Nanoseconds:
    days = np.arange(midnight(first), last + 1, DAY, dtype=np.int64)
    workdays: Nanoseconds = days[(days // DAY + 3) % 7 < WORKDAYS]
    return workdays


def _usual(days: Nanoseconds, table: Sessions, zone: str) -> Sessions:
    """Return sessions on `days` with the hours most usual about the nearest that are recorded."""
    near = np.clip(np.searchsorted(table.days, days), USUAL // 2, max(len(table) - USUAL // 2, USUAL // 2))
    hours = np.empty((len(days), 4), dtype=np.int64)
    for middle in np.unique(near):
        rows, count = np.unique(table.hours[middle - USUAL // 2 : middle + USUAL // 2], axis=0, return_counts=True)
        hours[near == middle] = rows[np.argmax(count)]
    return Sessions(days, hours, _shift(days + hours[:, 0], zone))


def _merged(one: Sessions, other: Sessions) -> Sessions:
    days = np.concatenate([one.days, other.days])
    order = np.argsort(days, kind="stable")
    hours = np.concatenate([one.hours, other.hours])
    return Sessions(days[order], hours[order], np.concatenate([one.shift, other.shift])[order])


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
        days = _workdays(first, last)
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
