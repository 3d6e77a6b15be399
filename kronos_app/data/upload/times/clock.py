"""A date and a time of day in two columns, joined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.numbers import is_number, is_text, trim
from kronos_app.data.upload.times import zone_names
from kronos_app.data.upload.times.values import DAY, NAT, SECOND, Integers, Mask, Reading, nulls, snap
from kronos_app.data.upload.times.written import mask_of, twelve_hours

Read = Callable[[pa.ChunkedArray], Reading]

UNREADABLE = -1
MINUTE = 60 * SECOND
_TIME = (
    r"^(?P<H>\d{1,2})(?:[:.hHT時时点點시]|\s*[時时点點시]\s*)(?P<M>\d{1,2})"
    r"(?:[:.分분]\s*(?:(?P<S>\d{1,2})(?:[.,:](?P<f>\d{1,9}))?[秒초]?)?)?"
    r"\s*(?P<p>[AaPp]\.?[Mm]\.?)?\s*(?P<z>[A-Za-z+-][A-Za-z0-9_+:/-]*)?$"
)
_WHOLE = r"\d[-/.年]\d{1,2}[-/.月]\d|^\d{8}[T -]|\d[- ]?[A-Za-z]{3,9}[- ]?\d|^\d{10,}$"
# The day that spreadsheets and libraries put before a time of day.
_ZERO_DAYS = np.array(["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01"], dtype="datetime64[D]")


def join(date: pa.ChunkedArray, clock: pa.ChunkedArray, read: Read) -> Reading:
    """Return dates with the time of day beside them.

    A column that holds whole times itself is used alone, be it that of the date or that of the time of day.

    Parameters
    ----------
    read
        Reads one column of whole times or dates.
    """
    if clock.null_count == len(clock) or (is_text(clock) and trim(clock).null_count == len(clock)):
        return read(date)
    times = _time_of_day(clock)
    if times is None:
        whole = read(clock)
        if (whole_days := _only_clock(whole)) is None:
            return whole
        times = whole_days
    nanoseconds, offsets, zoned = times
    days = read(date)
    known = ~np.isnat(days.values)
    if (days.values[known].astype(np.int64) % DAY).any():
        return days
    good = known & (nanoseconds != UNREADABLE)
    values = np.where(good, days.values + np.where(good, nanoseconds, 0).astype("timedelta64[ns]"), NAT)
    bad = days.bad | (~good & ~nulls(date) & ~_empty(clock))
    joined = pc.binary_join_element_wise(_as_text(date), _as_text(clock), " ")
    return Reading(
        values,
        bad,
        np.where(zoned, offsets, days.offsets),
        days.zoned | (zoned & good),
        days.zone,
        days.findings,
        joined,
    )


def _time_of_day(column: pa.ChunkedArray) -> tuple[Integers, Integers, Mask] | None:
    """Return nanoseconds since midnight, offsets from UTC and which cells have one; None where times are whole."""
    kind = column.type
    nothing = np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    if pa.types.is_time(kind):
        unit = pa.time64("ns")
        cells = pc.cast(column, unit, safe=False) if kind != unit else column
        numbers = np.array(pc.fill_null(pc.cast(cells, pa.int64()), UNREADABLE).to_numpy(), dtype=np.int64)
        return numbers, *nothing
    if is_number(column):
        return _from_numbers(column, nothing)
    if not is_text(column):
        return None
    cells = trim(column)
    digits = pc.match_substring_regex(cells, r"^\d{1,15}(\.0*)?$")
    if 2 * int(pc.sum(digits).as_py() or 0) > len(cells) - cells.null_count:
        if _are_whole_digits(cells):
            return None
        plain = pc.if_else(digits, pc.replace_substring_regex(cells, r"\.0*$", ""), pa.scalar(None, cells.type))
        width = int(pc.max(pc.utf8_length(plain)).as_py() or 0)
        return _from_digits(pc.cast(plain, pa.int64()), width), *nothing
    if pc.any(pc.match_substring_regex(cells, _WHOLE)).as_py():
        return None
    fractions = pc.match_substring_regex(cells, r"^0?\.\d+$|^0$|^1$")
    if pc.all(fractions).as_py():
        return _from_numbers(pc.cast(cells, pa.float64()), nothing)
    return _from_written(cells)


def _from_numbers(column: pa.ChunkedArray, nothing: tuple[Integers, Mask]) -> tuple[Integers, Integers, Mask] | None:
    values = np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), dtype=float)
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), UNREADABLE), *nothing
    if (values[known] >= 0).all() and (values[known] <= 1).all() and (values[known] % 1 > 0).any():
        milliseconds = np.rint(np.where(known, values, 0) * 86_400_000).astype(np.int64)  # fractions of the day
        return np.where(known, snap(milliseconds) * 1_000_000, UNREADABLE), *nothing
    usable = known & (np.abs(values) < 1e15) & (values == np.rint(values))
    text = pc.cast(pa.array(np.where(usable, values, 0).astype(np.int64), mask=~usable), pa.string())
    cells = pa.chunked_array([text])
    if _are_whole_digits(cells) or (values[known] >= 1e15).any():
        return None
    width = int(pc.max(pc.utf8_length(cells)).as_py() or 0)
    return _from_digits(pc.cast(cells, pa.int64()), width), *nothing


def _are_whole_digits(cells: pa.ChunkedArray) -> bool:
    """Return whether digits hold a whole date: 20240102, or any number as long as an epoch."""
    return bool(
        pc.all(
            pc.match_substring_regex(
                cells, r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{2}){0,3}(\.0*)?$|^1\d{9}$|^1\d{12}$"
            )
        ).as_py()
    )


def _from_digits(column: pa.ChunkedArray, width: int) -> Integers:
    """Read 930, 93000, 93000000 as a time of day; seconds or minutes of the day where that is none."""
    empty = nulls(column)
    numbers = np.array(pc.fill_null(column, 0).to_numpy(), dtype=np.int64)
    place = next(
        (place for place in ((2, 3600), (4, 60), (6, 1), (9, 0), (12, 0), (15, 0)) if width <= place[0]), (15, 0)
    )
    digits, unit = place
    if digits <= 6:
        written = _split(numbers * 10 ** (6 - digits), 0)
        counted = numbers * unit * SECOND
    else:
        written = _split(numbers, digits - 6)
        counted = numbers * 10 ** (15 - digits)
    counted = np.where(counted <= DAY, counted, UNREADABLE)
    wrong = [int((times[~empty] == UNREADABLE).sum()) for times in (written, counted)]
    times = counted if wrong[1] == 0 < wrong[0] else written
    return np.where(empty, UNREADABLE, times)


def _split(numbers: Integers, decimals: int) -> Integers:
    """Return HHMMSS with so many decimals as nanoseconds since midnight."""
    whole, fraction = np.divmod(numbers, 10**decimals)
    hour, minute, second = whole // 10_000, whole // 100 % 100, whole % 100
    return _of_day(hour, minute, second, fraction * 10 ** (9 - decimals))


def _of_day(hour: Integers, minute: Integers, second: Integers, fraction: Integers) -> Integers:
    times = (hour * 60 + minute) * MINUTE + second * SECOND + fraction
    good = (hour >= 0) & (minute < 60) & (second < 60) & ((hour < 24) | (times == DAY))
    return np.where(good, times, UNREADABLE)


def _from_written(cells: pa.ChunkedArray) -> tuple[Integers, Integers, Mask]:
    cells = pc.replace_substring_regex(cells, r"^(?:上午|午前|오전)\s*(.*)$", r"\1 AM")
    cells = pc.replace_substring_regex(cells, r"^(?:下午|午後|오후)\s*(.*)$", r"\1 PM")
    parts = pc.extract_regex(cells, pattern=_TIME).combine_chunks()
    matched = np.asarray(parts.is_valid().to_numpy(zero_copy_only=False), dtype=bool)

    def number(name: str, width: int = 0) -> Integers:
        field = pc.fill_null(parts.field(name), "")
        field = pc.utf8_rpad(field, width=width, padding="0") if width else field
        return np.asarray(
            pc.cast(pc.if_else(pc.equal(field, ""), "0", field), pa.int64()).to_numpy(zero_copy_only=False)
        )

    half = pc.replace_substring(pc.utf8_lower(pc.fill_null(parts.field("p"), "")), ".", "")
    hour = twelve_hours(number("H"), mask_of(half, "am"), mask_of(half, "pm"))
    times = np.where(matched, _of_day(hour, number("M"), number("S"), number("f", 9)), UNREADABLE)
    zones = pc.fill_null(parts.field("z"), "").dictionary_encode()
    offsets = [zone_names.offset(name) for name in zones.dictionary.to_pylist()]
    codes = np.asarray(zones.indices.to_numpy())
    known = np.array([offset is not None for offset in offsets])[codes]
    stated = np.array([name != "" for name in zones.dictionary.to_pylist()])[codes]
    times = np.where(stated & ~known, UNREADABLE, times)
    return times, np.array([offset or 0 for offset in offsets], dtype=np.int64)[codes], known & stated


def _only_clock(whole: Reading) -> tuple[Integers, Integers, Mask] | None:
    """Return the time of day of whole times that all lie on the day that stands for none."""
    good = ~np.isnat(whole.values)
    days = np.unique(whole.values[good].astype("datetime64[D]"))
    if len(days) != 1 or days[0] not in _ZERO_DAYS:
        return None
    times = np.where(good, whole.values.astype(np.int64) % DAY, UNREADABLE)
    return times, np.zeros(len(good), np.int64), np.zeros(len(good), bool)


def _empty(column: pa.ChunkedArray) -> Mask:
    return nulls(trim(column)) if is_text(column) else nulls(column)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_text(column):
        return column
    if pa.types.is_binary(column.type):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    return pc.cast(column, pa.string())
