"""Columns of a file as times, whatever their type, form, order and time zone.

No choice is silent: the order of day and month, the unit of a number, a zone and any conversion become findings. Rows
are read together.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.draft import Finding
from kronos_app.data.upload.cells import (
    WHOLE_OR_FRACTION,
    Mask,
    all_match,
    is_number,
    is_text,
    mostly_match,
    nulls,
    only,
    trim,
)
from kronos_app.data.upload.columns import is_end_time
from kronos_app.data.upload.times import clock as clocks
from kronos_app.data.upload.times import formats, nights, numeric, written, zone_names, zones
from kronos_app.data.upload.times.exchange_days import to_local
from kronos_app.data.upload.times.values import (
    EARLIEST,
    LATEST,
    NAT,
    Reading,
    Times,
    latest_plausible,
    on_the_clock,
    unreadable,
)
from kronos_app.i18n import text

_DATE = (
    r"^['\"]?((19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}\b|\d{1,2}[-/.]\d{1,2}[-/.](19|20)\d\d\b"
    r"|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\b)"
)
COMPACT = frozenset({12, 14, 17, 20})  # digits of a date with its time of day


@dataclass(frozen=True)
class Parsed:
    """A column as times."""

    values: Times  # naive datetime64[ns], NaT where empty or unreadable
    bad: Mask  # unreadable cells
    timezone: str | None = None  # IANA name, `UTC` or an offset such as `UTC+08:00` that the times are local to
    findings: tuple[Finding, ...] = ()
    cells: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.string()), repr=False)  # as read


def parse(
    column: pa.ChunkedArray,
    clock: pa.ChunkedArray | None = None,
    *,
    header: str = "",
    time_format: str | None = None,
    timezone: str | None = None,
) -> Parsed:
    """Return a column of any type as times.

    Parameters
    ----------
    column, clock
        Times or dates, and the time of day where it is a column of its own.
    header
        Of the column: it may name a zone, or say that the times are the ends of candles.
    time_format
        One of `formats.NAMES` or a pattern such as `%d/%m/%Y %H:%M`; None to detect it.
    timezone
        IANA name of the zone that the user states: times without a zone are local to it, instants are converted to it.

    Raises
    ------
    InvalidInput
        There is no such zone or format, or no cell has the format.
    """
    stated, form = zone_names.check(timezone), formats.check(time_format)
    column = _plain(column)
    reading = _read(column, form) if clock is None else _read_both(column, _plain(clock), form)
    values, zone, settled = zones.settle(reading, stated, header)
    findings = [*reading.findings, *settled]
    if not reading.zoned.any():
        values, remarks = nights.restore(values)
        findings += remarks
    later = values > latest_plausible()
    if later.any():
        message = text(
            "{count} time(s) are in the future, the last on {day}: check whether they were read correctly.",
            count=int(later.sum()), day=str(np.nanmax(values).astype("datetime64[D]")),
        )  # fmt: skip
        findings.append(Finding("future_times", "warning", message))
    if is_end_time(header):
        message = text("Column “{header}” holds the ends of candles; no column holds their starts.", header=header)
        findings.append(Finding("end_times", "warning", message))
    return Parsed(values, reading.bad, zone, tuple(findings), column if reading.cells is None else reading.cells)


def are_dates(column: pa.ChunkedArray) -> bool:
    """Return whether all of the first cells are written as dates, or the type is one of times."""
    if _is_time(column.type):
        return True
    sample = column.slice(0, 200)
    if pa.types.is_integer(column.type):
        return numeric.are_epochs(np.asarray(sample.drop_null().to_numpy(), dtype=np.int64))
    if not is_text(column):
        return False
    sample = trim(sample)
    return sample.null_count < len(sample) and all_match(sample, _DATE)


def _read_both(column: pa.ChunkedArray, clock: pa.ChunkedArray, form: str | None) -> Reading:
    if formats.has_clock(form) and is_text(column) and is_text(clock):
        return _read(pc.binary_join_element_wise(trim(column), trim(clock), " "), form)
    return clocks.join(column, clock, lambda cells: _read(cells, form))


def _read(column: pa.ChunkedArray, form: str | None) -> Reading:
    """Read one column of times or dates."""
    if _is_time(column.type):
        return _from_times(column)
    if not is_number(column) and not is_text(column):
        return unreadable(column)
    if form is not None:
        return formats.read(column, form)
    if is_number(column):
        return _from_digits(column)
    cells = trim(column)
    coded = cells.combine_chunks().dictionary_encode()
    if 2 * len(coded.dictionary) < len(cells):  # days of minute candles, or times of many instruments
        return _repeat(_from_cells(pa.chunked_array([coded.dictionary])), coded.indices)
    return _from_cells(cells)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _from_times(column: pa.ChunkedArray) -> Reading:
    """Return timestamps or dates; those of a named zone as its time on the clock, with their offsets."""
    kind = column.type
    unit = "D" if pa.types.is_date32(kind) else "ms" if pa.types.is_date(kind) else kind.unit
    integers = pc.cast(column, pa.int32() if unit == "D" else pa.int64())
    times = np.array(pc.fill_null(integers, 0).to_numpy(), dtype=np.int64).astype(f"datetime64[{unit}]")
    # Compared in the column's own unit: the year 1500 does not fit into nanoseconds.
    good = (times >= EARLIEST.astype(times.dtype)) & (times < LATEST.astype(times.dtype)) & ~nulls(column)
    values = np.where(good, np.where(good, times, NAT.astype(times.dtype)).astype("datetime64[ns]"), NAT)
    bad = ~good & ~nulls(column)
    zone = getattr(kind, "tz", None)
    if zone is None:
        return on_the_clock(values, bad)
    fixed, name = zone_names.offset(zone), zone_names.check(zone)
    if fixed is not None or name is None:
        offsets = np.full(len(values), fixed or 0, dtype=np.int64)
        return Reading(values + offsets.astype("timedelta64[ns]"), bad, offsets, good)
    local = to_local(values, name)
    return Reading(local, bad, np.where(good, (local - values).astype(np.int64), 0), good, name)


def _repeat(reading: Reading, codes: pa.Array) -> Reading:
    """Return a reading of different cells for a column that repeats them."""
    empty = np.asarray(codes.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    at = np.asarray(codes.fill_null(0).to_numpy(), dtype=np.int64)
    if not len(reading.values):
        return unreadable(pa.chunked_array([pa.nulls(len(codes))]))
    return replace(
        reading,
        values=np.where(empty, NAT, reading.values[at]),
        bad=reading.bad[at] & ~empty,
        offsets=np.where(empty, 0, reading.offsets[at]),
        zoned=reading.zoned[at] & ~empty,
    )


def _from_cells(cells: pa.ChunkedArray) -> Reading:
    return _from_digits(cells) if mostly_match(cells, WHOLE_OR_FRACTION) else written.read(cells)


def _from_digits(column: pa.ChunkedArray) -> Reading:
    """Read numbers, or text that is mostly digits."""
    width = None
    if not pa.types.is_floating(column.type):
        cells = column if is_text(column) else pc.cast(column, pa.string())
        width = _common_width(only(cells, pc.match_substring_regex(cells, WHOLE_OR_FRACTION)))
        if width in COMPACT:
            compact = written.read(cells)
            if 2 * compact.bad.sum() < len(cells) if is_text(column) else not compact.bad.any():
                return compact
    values, exact, other = numeric.to_numbers(column)
    reading = numeric.read(values, exact, width if is_text(column) else None)
    return replace(reading, bad=reading.bad | other)


def _common_width(cells: pa.ChunkedArray) -> int | None:
    """Return how long all cells are, zeros in front included; None where they differ or are no whole numbers."""
    lengths = pc.min_max(pc.utf8_length(cells)).as_py()
    return lengths["min"] if lengths["min"] == lengths["max"] and all_match(cells, r"^\d+$") else None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text of any kind as plain text; dictionaries as their values."""
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    return pc.cast(column, pa.float64()) if pa.types.is_decimal(kind) or pa.types.is_null(kind) else column
