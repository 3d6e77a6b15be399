"""What all readers of times share: the reading of a column, times from their parts, and what counts as plausible."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import Integers, Mask, nulls

Times = NDArray[np.datetime64]
Whole = Integers | int
Clock = tuple[Whole, Whole, Whole, Whole]
"""Hour, minute, second and nanoseconds of a second."""

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NAT = np.datetime64("NaT", "ns")
EARLIEST, LATEST = np.datetime64("1800-01-01", "ns"), np.datetime64("2200-01-01", "ns")
UNREADABLE = -1
MIDNIGHT: Clock = (0, 0, 0, 0)


@dataclass(frozen=True)
class Reading:
    """A column as times on the clock, before time zones are settled."""

    values: Times  # naive datetime64[ns], NaT where empty or unreadable
    bad: Mask  # cells that are neither empty nor readable
    offsets: Integers  # nanoseconds from UTC
    zoned: Mask  # cells that state an offset, a zone or an instant
    zone: str | None = None  # the IANA name that every zoned cell states, if it is one name
    findings: tuple[Finding, ...] = ()
    cells: pa.ChunkedArray | None = field(default=None, repr=False)  # the text that was read, if not the column


def on_the_clock(values: Times, bad: Mask, findings: tuple[Finding, ...] = ()) -> Reading:
    """Return a reading of times that state no zone."""
    return Reading(values, bad, np.zeros(len(values), np.int64), np.zeros(len(values), bool), None, findings)


def in_utc(values: Times, bad: Mask, findings: tuple[Finding, ...] = ()) -> Reading:
    """Return a reading of instants."""
    return Reading(values, bad, np.zeros(len(values), np.int64), ~np.isnat(values), None, findings)


def unreadable(column: pa.ChunkedArray) -> Reading:
    """Return a reading of which no cell is a time."""
    return on_the_clock(np.full(len(column), NAT), ~nulls(column))


def latest_plausible() -> np.datetime64:
    """Return the time after which a candle lies in the future, whatever the zone: two days from now."""
    return np.datetime64("now", "ns") + np.timedelta64(2, "D")


def into_day(times: Times) -> Integers:
    """Return nanoseconds since midnight."""
    return times.astype(np.int64) % DAY


def snap(milliseconds: Integers) -> Integers:
    """Return times in milliseconds without what few decimals lost: on the minute where all nearly are."""
    for unit, tolerance in ((60_000, 1000), (1000, 10)):
        nearest = (milliseconds + unit // 2) // unit * unit
        if (np.abs(milliseconds - nearest) <= tolerance).all():
            return nearest
    return milliseconds


def split_digits(numbers: Integers, *widths: int) -> tuple[Integers, ...]:
    """Return numbers such as 20240131 as their parts; the first part has all digits in front of the given widths."""
    parts: list[Integers] = []
    for width in reversed(widths):
        numbers, part = np.divmod(numbers, 10**width)
        parts.insert(0, part)
    return (numbers, *parts)


def time_of_day(hour: Whole, minute: Whole, second: Whole, fraction: Whole) -> Integers:
    """Return nanoseconds since midnight, `UNREADABLE` for no time of day; 24:00 is the end of a day."""
    times = np.asarray(((hour * 60 + minute) * 60 + second) * SECOND + fraction, dtype=np.int64)
    good = (hour >= 0) & (minute < 60) & (second < 60) & ((hour < 24) | (times == DAY))
    return np.where(good, times, UNREADABLE)


def assemble(year: Integers, month: Integers, day: Whole, clock: Clock = MIDNIGHT) -> Times:
    """Return times from their parts, NaT where there is no such day or time of day."""
    month_ok = (year >= 1800) & (year < 2200) & (month >= 1) & (month <= 12)
    months = (np.where(month_ok, year - 1970, 0) * 12 + np.where(month_ok, month - 1, 0)).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    nanoseconds = time_of_day(*clock)
    good = month_ok & (day >= 1) & (day <= length) & (nanoseconds != UNREADABLE)
    days = months.astype("datetime64[D]").astype(np.int64) + np.where(good, day - 1, 0)
    times = (days * DAY + np.where(good, nanoseconds, 0)).astype("datetime64[ns]")
    return np.where(good, times, NAT)
