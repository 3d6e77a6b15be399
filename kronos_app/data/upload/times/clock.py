"""A date and a time of day in two columns, joined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.cells import (
    Integers,
    Mask,
    all_match,
    any_match,
    extract,
    is_number,
    is_text,
    mostly_match,
    nulls,
    only,
    to_floats,
    trim,
)
from kronos_app.data.upload.times import zone_names
from kronos_app.data.upload.times.parts import Parts
from kronos_app.data.upload.times.values import (
    DAY,
    NAT,
    SECOND,
    UNREADABLE,
    Reading,
    into_day,
    on_the_clock,
    snap,
    split_digits,
    time_of_day,
)

_TIME = (
    r"^(?P<H>\d{1,2})(?:[:.hHT時时点點시]|\s*[時时点點시]\s*)(?P<M>\d{1,2})"
    r"(?:[:.분分]\s*(?:(?P<S>\d{1,2})(?:[.,:](?P<f>\d{1,9}))?[秒초]?)?)?"
    r"\s*(?P<p>[AaPp]\.?[Mm]\.?)?\s*(?P<z>[A-Za-z+-][A-Za-z0-9_+:/-]*)?$"
)
_DIGITS = r"^\d{1,15}(\.0*)?$"
_WHOLE_DIGITS = r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{2}){0,3}(\.0*)?$|^1\d{9}$|^1\d{12}$"
_WHOLE = r"\d[-/.年]\d{1,2}[-/.月]\d|^\d{8}[T -]|\d[- ]?[A-Za-z]{3,9}[- ]?\d|^\d{10,}$"
_UNITS = {2: 3600 * SECOND, 4: 60 * SECOND, 6: SECOND, 9: 1_000_000, 12: 1_000, 15: 1}
"""Nanoseconds that numbers of so many digits count where they are no HH, HHMM, HHMMSS, ..."""
# The day that spreadsheets and libraries put before a time of day.
_ZERO_DAYS = np.array(["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01"], dtype="datetime64[D]")


def join(date: pa.ChunkedArray, clock: pa.ChunkedArray, read: Callable[[pa.ChunkedArray], Reading]) -> Reading:
    """Return dates with the time of day beside them.

    A column that holds whole times itself is used alone, be it that of the date or that of the time of day.

    Parameters
    ----------
    read
        Reads one column of whole times or dates.
    """
    empty = nulls(trim(clock)) if is_text(clock) else nulls(clock)
    if empty.all():
        return read(date)
    times = _read_clock(clock)
    if times is None:
        whole = read(clock)
        times = _without_day(whole)
        if times is None:
            return whole
    days = read(date)
    good = ~np.isnat(days.values)
    if into_day(days.values[good]).any():
        return days
    good &= ~np.isnat(times.values)
    return Reading(
        values=days.values + (times.values - np.datetime64(0, "ns")),
        bad=days.bad | (~good & ~nulls(date) & ~empty),
        offsets=np.where(times.zoned, times.offsets, days.offsets),
        zoned=days.zoned | (times.zoned & good),
        zone=days.zone,
        findings=days.findings,
        cells=pc.binary_join_element_wise(_as_text(date), _as_text(clock), " "),
    )


def _on_1970(nanoseconds: Integers) -> Reading:
    """Return times of day as times on 1970-01-01."""
    times = np.where(nanoseconds == UNREADABLE, NAT, nanoseconds.astype("datetime64[ns]"))
    return on_the_clock(times, np.isnat(times))


def _read_clock(column: pa.ChunkedArray) -> Reading | None:
    """Return times of day as times on 1970-01-01; None where the column holds whole times."""
    if pa.types.is_time(column.type):
        cells = pc.cast(pc.cast(column, pa.time64("ns"), safe=False), pa.int64())
        return _on_1970(np.asarray(pc.fill_null(cells, UNREADABLE).to_numpy()))
    if is_number(column):
        return _from_numbers(column)
    if not is_text(column):
        return None
    cells = trim(column)
    if mostly_match(cells, _DIGITS):
        if all_match(cells, _WHOLE_DIGITS):
            return None
        digits = only(cells, pc.match_substring_regex(cells, _DIGITS))
        return _from_digits(pc.replace_substring_regex(digits, r"\.0*$", ""))
    if any_match(cells, _WHOLE):
        return None
    return _from_numbers(cells) if all_match(cells, r"^0?\.\d+$|^0$|^1$") else _from_written(cells)


def _from_numbers(column: pa.ChunkedArray) -> Reading | None:
    values = to_floats(column)
    filled = np.isfinite(values)
    numbers = values[filled]
    if not len(numbers):
        return _on_1970(np.full(len(values), UNREADABLE))
    if (numbers >= 0).all() and (numbers <= 1).all() and (numbers % 1 > 0).any():
        milliseconds = np.rint(np.where(filled, values, 0) * 86_400_000).astype(np.int64)  # fractions of the day
        return _on_1970(np.where(filled, snap(milliseconds) * 1_000_000, UNREADABLE))
    usable = filled & (np.abs(values) < 1e15) & (values == np.rint(values))
    whole = pa.array(np.where(usable, values, 0).astype(np.int64), mask=~usable)
    cells = pa.chunked_array([pc.cast(whole, pa.string())])
    return None if all_match(cells, _WHOLE_DIGITS) or (numbers >= 1e15).any() else _from_digits(cells)


def _from_digits(cells: pa.ChunkedArray) -> Reading:
    """Read 930, 93000, 93000000 as a time of day; seconds or minutes of the day where that is none."""
    numbers = np.array(pc.fill_null(pc.cast(cells, pa.int64()), 0).to_numpy(), dtype=np.int64)
    longest = int(pc.max(pc.utf8_length(cells)).as_py() or 0)
    digits = next((digits for digits in _UNITS if longest <= digits), 15)
    decimals = max(digits, 6) - 6
    hour, minute, second, fraction = split_digits(numbers * 10 ** max(6 - digits, 0), 2, 2, decimals)
    written = time_of_day(hour, minute, second, fraction * 10 ** (9 - decimals))
    counted = numbers * _UNITS[digits]
    counted = np.where(counted <= DAY, counted, UNREADABLE)
    filled = ~nulls(cells)
    use_counted = (written[filled] == UNREADABLE).any() and not (counted[filled] == UNREADABLE).any()
    return _on_1970(np.where(filled, counted if use_counted else written, UNREADABLE))


def _from_written(cells: pa.ChunkedArray) -> Reading:
    for words, half in (("上午|午前|오전", "AM"), ("下午|午後|오후", "PM")):
        cells = pc.replace_substring_regex(cells, rf"^(?:{words})\s*(.*)$", rf"\1 {half}")
    groups, matched = extract(cells, _TIME)
    parts = Parts(groups)
    zones = parts.column("z").dictionary_encode()
    names = zones.dictionary.to_pylist()
    offsets = [zone_names.offset(name) for name in names]
    codes = np.asarray(zones.indices.to_numpy())
    zoned: Mask = np.array([offset is not None for offset in offsets])[codes]
    readable = matched & (zoned | np.array([name == "" for name in names])[codes])
    times = _on_1970(np.where(readable, time_of_day(*parts.clock()), UNREADABLE))
    return Reading(times.values, times.bad, np.array([offset or 0 for offset in offsets], np.int64)[codes], zoned)


def _without_day(whole: Reading) -> Reading | None:
    """Return whole times as times of day where all are on the day that means none, else None."""
    good = ~np.isnat(whole.values)
    days = np.unique(whole.values[good].astype("datetime64[D]"))
    if len(days) != 1 or days[0] not in _ZERO_DAYS:
        return None
    return _on_1970(np.where(good, into_day(whole.values), UNREADABLE))


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_text(column):
        return column
    if pa.types.is_binary(column.type):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    return pc.cast(column, pa.string())
