"""Columns of a file as times: written dates, spreadsheet serial dates, epochs, with or without time zones.

Nothing is guessed in silence: the order of day and month, the unit of a number and any conversion to UTC become
findings. Rows are read together, never one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.draft import Finding, Severity
from kronos_app.data.upload.numbers import is_number, is_text, trim
from kronos_app.i18n import Text, text

Times = NDArray[np.datetime64]
Integers = NDArray[np.int64]

_DAY = 86_400_000_000_000
_EARLIEST, _LATEST = np.datetime64("1800-01-01", "ns"), np.datetime64("2200-01-01", "ns")
_CLOCK = (
    r"(?:[T ,;]+(?P<H>\d{1,2})[:时](?P<M>\d{1,2})(?:[:分](?P<S>\d{1,2})(?:[.,](?P<f>\d{1,9}))?秒?)?分?"
    r"\s*(?P<p>[AaPp][Mm])?"
    r"\s*(?P<z>Z|UTC|GMT|[+-]\d{2}:?\d{2}(?::?00)?|[+-]\d{2})?)?$"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY = r"^(?:[A-Za-z]{3,9},? )?"
PATTERNS = (
    r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?" + _CLOCK,
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})[T ;,]+(?P<H>\d{2}):?(?P<M>\d{2})"
    r"(?::?(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?(?P<z>Z)?$",
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})" + _CLOCK,
    r"^(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})" + _CLOCK,
    _WEEKDAY + r"(?P<d>\d{1,2})[-/ .]+(?P<n>[A-Za-z]{3,9})[-/ .,]+(?P<y>\d{4}|\d{2})" + _CLOCK,
    _WEEKDAY + r"(?P<n>[A-Za-z]{3,9})[. ]+(?P<d>\d{1,2}),? +(?P<y>\d{4})" + _CLOCK,
)
_NUMERIC = r"^-?\d+(\.\d*)?$"
# Units of an epoch, with the size at which the next one begins.
_UNITS = (text("seconds"), text("milliseconds"), text("microseconds"), text("nanoseconds"))
_FACTORS = np.array([1_000_000_000, 1_000_000, 1_000, 1])
_LIMITS = np.array([1e11, 1e14, 1e17])
_LEAST_EPOCH = 1e8


@dataclass(frozen=True)
class Parsed:
    """A column as naive datetime64[ns], NaT where empty or unreadable; which cells are unreadable; what was decided."""

    values: Times
    bad: NDArray[np.bool_]
    timezone: str | None = None
    findings: tuple[Finding, ...] = ()


def parse(
    column: pa.ChunkedArray,
    clock: pa.ChunkedArray | None = None,
    *,
    time_format: str | None = None,
    timezone: str | None = None,
) -> Parsed:
    """Return a column of any type as times; `clock` is a separate column with the time of day.

    `time_format` is a stated strptime pattern, `timezone` the stated zone of times that name none.
    """
    parsed = _detect(column, clock) if time_format is None else _by_pattern(column, clock, time_format)
    return replace(parsed, timezone=parsed.timezone or timezone)


def _by_pattern(column: pa.ChunkedArray, clock: pa.ChunkedArray | None, time_format: str) -> Parsed:
    cells = _as_text(column)
    cells = cells if clock is None else pc.binary_join_element_wise(cells, _as_text(clock), " ")
    times = pd.to_datetime(pd.Series(trim(cells).to_pylist(), dtype=object), format=time_format, errors="coerce")
    values = times.to_numpy("datetime64[ns]")
    return Parsed(values, np.isnat(values) & np.asarray(trim(cells).is_valid().to_numpy(), dtype=bool))


def _detect(column: pa.ChunkedArray, clock: pa.ChunkedArray | None = None) -> Parsed:
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return _from_native(column)
    if clock is not None:
        column = _with_clock(_as_text(column), _as_text(clock))
    if is_number(column):
        values = np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), dtype=float)
        whole = pc.cast(column, pa.int64()) if pa.types.is_integer(column.type) else None
        return _from_numbers(values, whole)
    if not is_text(column):
        return Parsed(
            np.full(len(column), np.datetime64("NaT", "ns")), ~np.asarray(column.is_null().to_numpy(), dtype=bool)
        )
    cells = trim(column)
    numeric = pc.match_substring_regex(cells, _NUMERIC)
    known = len(cells) - cells.null_count
    if known and 2 * int(pc.sum(numeric).as_py() or 0) > known:
        return _from_numeric_text(cells, numeric)
    return _from_text(cells)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(pc.cast(column, pa.timestamp("s")), format="%Y-%m-%d")
    return column if is_text(column) else pc.cast(column, pa.string())


def _with_clock(date: pa.ChunkedArray, clock: pa.ChunkedArray) -> pa.ChunkedArray:
    """Join a date and a time of day; 93000 is 09:30:00. A clock column that holds whole dates is used alone."""
    date, clock = trim(date), trim(clock)
    whole = pc.match_substring_regex(clock, r"^\d{8,}|\d[-/.年]\d{1,2}[-/.月]\d")
    if pc.any(whole).as_py():
        return clock
    if pc.any(pc.match_substring_regex(date, r"\d{1,2}:\d{2}")).as_py():
        return date
    longest = pc.max(pc.utf8_length(clock)).as_py() or 0
    digits = pc.match_substring_regex(clock, r"^\d{1,6}$")
    padded = pc.utf8_lpad(clock, width=4 if longest <= 4 else 6, padding="0")
    colons = pc.replace_substring_regex(padded, r"^(\d{2})(\d{2})(\d{2})?$", r"\1:\2:\3")
    colons = pc.replace_substring_regex(colons, r":$", "")
    return pc.binary_join_element_wise(date, pc.if_else(digits, colons, clock), " ")


def _from_native(column: pa.ChunkedArray) -> Parsed:
    """Convert an Arrow timestamp or date; times of a named zone become local to it unless local times would repeat."""
    zone = getattr(column.type, "tz", None)
    unit = column.type if pa.types.is_timestamp(column.type) else pa.timestamp("s")
    naive = pa.timestamp(unit.unit)
    instant = pc.cast(column if unit == column.type else pc.cast(column, pa.date32()), unit)
    raw = np.asarray(pc.cast(instant, naive).to_numpy())
    null = np.asarray(column.is_null().to_numpy(), dtype=bool)
    coarse = raw.astype("datetime64[s]")
    # Both in seconds: NumPy compares in the finer unit, and the year 1500 does not fit into nanoseconds.
    good = (coarse >= _EARLIEST.astype(coarse.dtype)) & (coarse < _LATEST.astype(coarse.dtype))
    values = np.where(good, raw, np.datetime64("NaT")).astype("datetime64[ns]")
    if zone is None:
        return Parsed(values, ~good & ~null)
    local = pd.DatetimeIndex(values).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    if len(np.unique(values)) != len(local.unique()):
        return Parsed(values, ~good & ~null, "UTC", (_converted("autumn"),))
    return Parsed(local.to_numpy("datetime64[ns]"), ~good & ~null, str(zone))


def _from_numeric_text(cells: pa.ChunkedArray, numeric: pa.ChunkedArray) -> Parsed:
    plain = pc.if_else(numeric, cells, pa.scalar(None, cells.type))
    values = np.array(pc.fill_null(pc.cast(plain, pa.float64()), np.nan).to_numpy(), dtype=float)
    try:
        whole = pc.cast(plain, pa.int64())
    except pa.ArrowInvalid:
        whole = None  # fractions, or beyond 64 bits
    found = _from_numbers(values, whole)
    unreadable = ~np.asarray(pc.fill_null(numeric, True).to_numpy(), dtype=bool)
    return Parsed(found.values, found.bad | unreadable, found.timezone, found.findings)


def _from_numbers(values: NDArray[np.float64], whole: pa.ChunkedArray | None) -> Parsed:
    """Read numbers as 20240131, 202401310930 or 20240131093000, as spreadsheet days, or as an epoch by their size."""
    known = np.isfinite(values)
    if not known.any():
        return Parsed(np.full(len(values), np.datetime64("NaT", "ns")), ~np.isnan(values))
    size = float(np.median(np.abs(values[known])))
    exact = np.where(known, values, 0).astype(np.int64) if whole is None else _integers(whole)
    digits = len(str(int(size)))
    if digits in {8, 12, 14}:
        times = _written_dates(exact, digits)
        if not np.isnat(times[known]).mean() > 0.5:
            return Parsed(times, np.isnat(times) & ~np.isnan(values))
    if 10_000 <= size < 100_000:
        milliseconds = np.rint(np.where(known, values, 0) * 86_400_000)
        usable = known & (np.abs(milliseconds) < 1e13)
        times = np.datetime64("1899-12-30", "ms") + np.where(usable, milliseconds, 0).astype("timedelta64[ms]")
        return _limited(
            times, values, usable, None, text("The times were read as spreadsheet dates (days since 1899-12-30).")
        )
    if size < _LEAST_EPOCH:
        return Parsed(np.full(len(values), np.datetime64("NaT", "ns")), ~np.isnan(values))
    return _from_epochs(values, known, None if whole is None else exact)


def _from_epochs(values: NDArray[np.float64], known: NDArray[np.bool_], exact: Integers | None) -> Parsed:
    """Read an epoch in the unit that its size tells; in each cell's own unit where that makes a smoother series."""
    sizes = np.where(known, np.abs(values), np.nan)
    unit = int(np.searchsorted(_LIMITS, np.nanmedian(sizes), side="right"))
    message = text("The times were read as {unit} since 1970 in UTC.", unit=_UNITS[unit])
    one = _limited(*_epochs(values, known, exact, np.full(len(values), unit)), "UTC", message)
    own = np.where(sizes >= _LEAST_EPOCH, np.searchsorted(_LIMITS, sizes, side="right"), unit)
    if (own[known] == unit).all():
        return one
    # A vendor that changed its unit, in one file; a long series that passes 1970 has small numbers, too.
    message = text("The times mix units, such as seconds and milliseconds since 1970; each was read by its size.")
    each = _limited(*_epochs(values, known, exact, own), "UTC", message, code="mixed_units", severity="warning")
    return each if _roughness(each) < _roughness(one) else one


def _epochs(
    values: NDArray[np.float64], known: NDArray[np.bool_], exact: Integers | None, unit: NDArray[np.intp]
) -> tuple[Times, NDArray[np.float64], NDArray[np.bool_]]:
    factor = _FACTORS[unit]
    usable = known & (np.abs(values) < 7.3e18 / factor)  # the year 2200
    if exact is None:
        nanoseconds = np.rint(np.where(usable, values, 0) * factor).astype(np.int64)
    else:
        nanoseconds = np.where(usable, exact, 0) * factor
    return nanoseconds.astype("datetime64[ns]"), values, usable


def _roughness(parsed: Parsed) -> tuple[int, int, int]:
    return int(parsed.bad.sum()), *_disorder(parsed.values[~np.isnat(parsed.values)])


def _integers(column: pa.ChunkedArray) -> Integers:
    return np.array(pc.fill_null(column, 0).to_numpy(), dtype=np.int64)


def _limited(
    times: Times,
    values: NDArray[np.float64],
    usable: NDArray[np.bool_],
    zone: str | None,
    message: Text,
    code: str = "numeric_times",
    severity: Severity = "info",
) -> Parsed:
    days = times.astype("datetime64[s]")
    good = usable & (days >= _EARLIEST) & (days < _LATEST)
    result = np.where(good, times, np.datetime64("NaT")).astype("datetime64[ns]")
    return Parsed(result, ~good & ~np.isnan(values), zone, (Finding(code, severity, message),))


def _written_dates(numbers: Integers, digits: int) -> Times:
    rest = numbers * 10 ** (14 - digits)
    parts = []
    for size in (100, 100, 100, 100, 100):
        rest, part = np.divmod(rest, size)
        parts.append(part)
    second, minute, hour, day, month = parts
    return _assemble(rest, month, day, hour, minute, second, np.zeros_like(rest))


def _from_text(cells: pa.ChunkedArray) -> Parsed:
    """Match each cell against the written forms; a column may use several."""
    count = len(cells)
    values = np.full(count, np.datetime64("NaT", "ns"))
    offsets = np.zeros(count, dtype=np.int64)
    zoned = np.zeros(count, dtype=bool)
    open_ = ~np.asarray(cells.is_null().to_numpy(), dtype=bool)
    findings: list[Finding] = []
    for pattern in PATTERNS:
        where = np.flatnonzero(open_)
        if not len(where):
            break
        part = cells if len(where) == count else cells.take(pa.array(where))
        fields = pc.extract_regex(part, pattern=pattern).combine_chunks()
        matched = np.asarray(fields.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        if not matched.any():
            continue
        if not matched.all():
            fields, where = fields.filter(pa.array(matched)), where[matched]
        time, offset, has_zone, remarks = _read_fields(fields)
        values[where], offsets[where], zoned[where] = time, offset, has_zone
        open_[where[~np.isnat(time)]] = False
        findings += remarks
    good = ~np.isnat(values)
    local, zone, remarks = _one_zone(values, offsets, zoned, good)
    return Parsed(local, open_, zone, (*findings, *remarks))


def _read_fields(fields: pa.StructArray) -> tuple[Times, Integers, NDArray[np.bool_], list[Finding]]:
    names = {field.name for field in fields.type}

    def number(name: str) -> Integers:
        if name not in names:
            return np.zeros(len(fields), dtype=np.int64)
        cells = fields.field(name)
        return np.asarray(pc.cast(pc.if_else(pc.equal(cells, ""), "0", cells), pa.int64()).to_numpy(), dtype=np.int64)

    year = number("y")
    short = np.asarray(pc.utf8_length(fields.field("y")).to_numpy()) == 2
    year = np.where(short, np.where(year < 70, 2000, 1900) + year, year)
    hour, minute, second = number("H"), number("M"), number("S")
    fraction = np.zeros(len(fields), dtype=np.int64)
    if "f" in names:
        padded = pc.utf8_rpad(fields.field("f"), width=9, padding="0")
        fraction = np.asarray(pc.cast(padded, pa.int64()).to_numpy(), dtype=np.int64)
    if "p" in names:
        half = pc.utf8_lower(fields.field("p"))
        afternoon = np.asarray(pc.equal(half, "pm").to_numpy(zero_copy_only=False), dtype=bool)
        either = np.asarray(pc.not_equal(half, "").to_numpy(zero_copy_only=False), dtype=bool)
        hour = np.where(either & ((hour < 1) | (hour > 12)), 99, hour)
        hour = np.where(either & (hour == 12), 0, hour) + 12 * afternoon

    def at(month: Integers, day: Integers) -> Times:
        return _assemble(year, month, day, hour, minute, second, fraction)

    findings: list[Finding] = []
    if "a" in names:
        time, findings = _day_or_month_first(at, number("a"), number("b"))
    else:
        time = at(_month_numbers(fields.field("n")) if "n" in names else number("m"), number("d"))
    offset, zoned = (
        _offsets(fields.field("z")) if "z" in names else (np.zeros_like(year), np.zeros(len(fields), dtype=bool))
    )
    return time, offset, zoned, findings


def _day_or_month_first(
    at: Callable[[Integers, Integers], Times], a: Integers, b: Integers
) -> tuple[Times, list[Finding]]:
    """Decide 03/04/2024 from the whole column: a number above 12, else the order that ascends, else the tighter one."""
    day_first, month_first = at(b, a), at(a, b)
    evidence = int((a > 12).sum()), int((b > 12).sum())
    if evidence[0] or evidence[1]:
        return (day_first if evidence[0] >= evidence[1] else month_first), []
    cost = [_disorder(times) for times in (day_first, month_first)]
    choose_day = cost[0] < cost[1]
    example = f"{a[0]:02d}/{b[0]:02d}"
    message = (
        text("Dates such as {example} do not say which part is the day; they were read as day first.", example=example)
        if choose_day
        else text(
            "Dates such as {example} do not say which part is the day; they were read as month first.", example=example
        )
    )
    return (day_first if choose_day else month_first), [Finding("ambiguous_dates", "warning", message)]


def _disorder(times: Times) -> tuple[int, int]:
    """Return how often the order of time turns round and how long all steps are together."""
    steps = np.diff(times).astype(np.int64)
    return min(int((steps < 0).sum()), int((steps > 0).sum())), int(np.abs(steps // 1_000_000_000).sum())


def _month_numbers(names: pa.Array) -> Integers:
    short = pc.utf8_lower(pc.utf8_slice_codeunits(names, 0, 3))
    found = pc.index_in(short, value_set=pa.array(_MONTHS, type=short.type))
    return np.asarray(pc.fill_null(pc.add(found, 1), 0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _offsets(zones: pa.Array) -> tuple[Integers, NDArray[np.bool_]]:
    """Return offsets from UTC in nanoseconds and which cells have one; few different ones occur."""
    coded = zones.dictionary_encode()
    known = [_one_offset(zone) for zone in coded.dictionary.to_pylist()]
    codes = np.asarray(coded.indices.to_numpy())
    return np.array([o for o, _ in known], dtype=np.int64)[codes], np.array([z for _, z in known], dtype=bool)[codes]


def _one_offset(zone: str) -> tuple[int, bool]:
    if zone in {"Z", "UTC", "GMT", ""}:
        return 0, bool(zone)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60
    return (-seconds if zone[0] == "-" else seconds) * 1_000_000_000, True


def _one_zone(
    values: Times, offsets: Integers, zoned: NDArray[np.bool_], good: NDArray[np.bool_]
) -> tuple[Times, str | None, list[Finding]]:
    """Leave times of one offset local; bring several offsets to UTC and say so."""
    if not zoned.any():
        return values, None, []
    used = np.unique(offsets[good & zoned])
    if len(used) == 1 and bool(zoned[good].all()):
        return values, _offset_name(int(used[0])), []
    result = values - offsets.astype("timedelta64[ns]")
    if bool(zoned[good].all()):
        return result, "UTC", [_converted("several")]
    message = text(
        "Only some times state a time zone; all were brought to UTC, those without one taken as UTC already."
    )
    return result, "UTC", [Finding("mixed_time_zones", "warning", message)]


def _converted(why: str) -> Finding:
    if why == "autumn":
        message = text("Local times repeat when clocks go back, so all times were converted to UTC.")
    else:
        message = text("The times have several offsets from UTC; all were converted to UTC.")
    return Finding("mixed_time_zones", "warning", message)


def _offset_name(offset: int) -> str:
    minutes = abs(offset) // 60_000_000_000
    return f"UTC{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}" if offset else "UTC"


def _assemble(
    year: Integers,
    month: Integers,
    day: Integers,
    hour: Integers,
    minute: Integers,
    second: Integers,
    fraction: Integers,
) -> Times:
    """Return times from their parts, NaT where there is no such day or time of day."""
    month_ok = (year >= 1800) & (year < 2200) & (month >= 1) & (month <= 12)
    months = (np.where(month_ok, year - 1970, 0) * 12 + np.where(month_ok, month - 1, 0)).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    clock_ok = (hour < 24) & (minute < 60) & (second < 60)
    good = month_ok & (day >= 1) & (day <= length) & clock_ok
    days = months.astype("datetime64[D]").astype(np.int64) + np.where(good, day - 1, 0)
    seconds = np.where(good, (hour * 60 + minute) * 60 + second, 0)
    times = (days * _DAY + seconds * 1_000_000_000 + np.where(good, fraction, 0)).astype("datetime64[ns]")
    return np.where(good, times, np.datetime64("NaT", "ns"))
