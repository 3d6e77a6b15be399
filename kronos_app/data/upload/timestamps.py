"""Columns of a file as times, whatever their type, form, order and time zone.

Nothing is guessed in silence: the order of day and month, the unit of a number, a zone and any conversion become
findings. Rows are read together, never one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.draft import Finding
from kronos_app.data.upload.columns import plain
from kronos_app.data.upload.numbers import is_number, is_text, trim
from kronos_app.data.upload.time_columns import END_NAMES
from kronos_app.data.upload.times import clock as clocks
from kronos_app.data.upload.times import formats, native, nights, numeric, written, zones
from kronos_app.data.upload.times.values import (
    NAT,
    Mask,
    Reading,
    Times,
    latest_plausible,
    unreadable,
)
from kronos_app.i18n import text

NUMERIC = r"^-?\d{1,25}(\.\d*)?$"
_DATE = (
    r"^['\"]?((19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}\b|\d{1,2}[-/.]\d{1,2}[-/.](19|20)\d\d\b"
    r"|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\b)"
)
COMPACT = frozenset({12, 14, 17, 20})  # digits of a date with its time of day


@dataclass(frozen=True)
class Parsed:
    """A column as naive datetime64[ns], NaT where empty or unreadable.

    Attributes
    ----------
    values, bad
        The times, and which cells are unreadable.
    timezone
        IANA name, `UTC` or an offset such as `UTC+08:00` that the times are local to.
    findings
        What was decided.
    cells
        The text that was read, for messages about unreadable cells: with two columns both.
    """

    values: Times
    bad: Mask
    timezone: str | None = None
    findings: tuple[Finding, ...] = ()
    cells: pa.ChunkedArray = field(default_factory=lambda: pa.chunked_array([], pa.string()), repr=False)


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
        What the file calls the column: it may name a zone, or say that a candle is known by its end.
    time_format
        One of `formats.NAMES` or a pattern such as `%d/%m/%Y %H:%M`; None to detect it.
    timezone
        IANA name of the zone that the user states: times without a zone are local to it, instants are brought there.

    Raises
    ------
    InvalidInput
        There is no such zone or format, or no cell has the format.
    """
    stated, form = zones.check(timezone), formats.check(time_format)
    column = _plain(column)
    reading = _read_both(column, _plain(clock), form) if clock is not None else _read(column, form)
    values, zone, settled = zones.settle(reading, stated, header)
    findings = [*reading.findings, *settled]
    if not reading.zoned.any():
        values, remarks = nights.restore(values)
        findings += remarks
    findings += [*_future(values), *_ends(header)]
    return Parsed(values, reading.bad, zone, tuple(findings), column if reading.cells is None else reading.cells)


def are_dates(column: pa.ChunkedArray) -> bool:
    """Return whether all of the first cells are written as dates, or the type is one of times."""
    if native.is_native(column.type):
        return True
    if pa.types.is_integer(column.type):
        return numeric.are_epochs(np.asarray(column.slice(0, 200).drop_null().to_numpy(), dtype=np.int64))
    if not is_text(column):
        return False
    sample = trim(column.slice(0, 200)).drop_null()
    return len(sample) > 0 and bool(pc.all(pc.match_substring_regex(sample, _DATE)).as_py())


def _read_both(column: pa.ChunkedArray, clock: pa.ChunkedArray, form: str | None) -> Reading:
    if formats.has_clock(form) and is_text(column) and is_text(clock):
        return _read(pc.binary_join_element_wise(trim(column), trim(clock), " "), form)
    return clocks.join(column, clock, lambda cells: _read(cells, form))


def _read(column: pa.ChunkedArray, form: str | None) -> Reading:
    """Read one column of times or dates."""
    if native.is_native(column.type):
        return native.read(column)
    if not is_number(column) and not is_text(column):
        return unreadable(column)
    if form is not None:
        return formats.read(column, form)
    if is_number(column):
        return _from_number_column(column)
    cells = trim(column)
    coded = cells.combine_chunks().dictionary_encode()
    if 2 * len(coded.dictionary) < len(cells):  # days of minute candles, or times of many instruments
        return _repeated(_from_cells(pa.chunked_array([coded.dictionary])), coded.indices)
    return _from_cells(cells)


def _repeated(reading: Reading, codes: pa.Array) -> Reading:
    """Return a reading of different cells for a column that repeats them."""
    empty = codes.is_null().to_numpy(zero_copy_only=False)
    at = np.append(np.arange(len(reading.values)), -1)[np.asarray(pc.fill_null(codes, -1).to_numpy(), dtype=np.int64)]

    def repeat(values: Any, nothing: Any) -> Any:
        return np.append(values, nothing)[at]

    return Reading(
        repeat(reading.values, NAT), repeat(reading.bad, False) & ~empty, repeat(reading.offsets, 0),
        repeat(reading.zoned, False), reading.zone, reading.findings,
    )  # fmt: skip


def _from_cells(cells: pa.ChunkedArray) -> Reading:
    digits = pc.match_substring_regex(cells, NUMERIC)
    if 2 * int(pc.sum(digits).as_py() or 0) > len(cells) - cells.null_count:
        return _from_numeric_text(cells, digits)
    return written.read(cells)


def _from_number_column(column: pa.ChunkedArray) -> Reading:
    if pa.types.is_integer(column.type):
        text_ = pc.cast(column, pa.string())
        if _common_width(text_) in COMPACT and not (compact := written.read(text_)).bad.any():
            return compact
    values = np.array(pc.fill_null(pc.cast(column, pa.float64(), safe=False), np.nan).to_numpy(), dtype=float)
    exact = None if pa.types.is_floating(column.type) else numeric.to_integers(column)
    return numeric.read(values, exact, None)


def _from_numeric_text(cells: pa.ChunkedArray, digits: pa.ChunkedArray) -> Reading:
    plain = pc.if_else(digits, cells, pa.scalar(None, cells.type))
    width = _common_width(plain)
    if width in COMPACT and 2 * (compact := written.read(cells)).bad.sum() < len(cells):
        return compact
    values = np.array(pc.fill_null(pc.cast(plain, pa.float64()), np.nan).to_numpy(), dtype=float)
    reading = numeric.read(values, numeric.to_integers(plain), width)
    other = np.asarray(pc.fill_null(pc.invert(digits), False).to_numpy(), dtype=bool)
    return Reading(reading.values, reading.bad | other, reading.offsets, reading.zoned, None, reading.findings)


def _common_width(cells: pa.ChunkedArray) -> int | None:
    """Return how long all cells are, None where they differ or are no whole numbers."""
    lengths = pc.min_max(pc.utf8_length(cells)).as_py()
    whole = pc.all(pc.match_substring_regex(cells, r"^\d+$")).as_py()
    return lengths["min"] if whole and lengths["min"] == lengths["max"] else None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return text of any kind as plain text; dictionaries as their values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64())
    return pc.cast(column, pa.float64()) if pa.types.is_null(kind) else column


def _future(values: Times) -> list[Finding]:
    later = values > latest_plausible()
    if not later.any():
        return []
    newest = str(np.nanmax(values).astype("datetime64[D]"))
    message = text(
        "{count} time(s) lie in the future, the last on {day}: see whether they were read rightly.",
        count=int(later.sum()), day=newest,
    )  # fmt: skip
    return [Finding("future_times", "warning", message)]


def _ends(header: str) -> list[Finding]:
    if plain(header) not in END_NAMES:
        return []
    message = text("Column “{header}” says when a candle ends, and no other when it begins.", header=header)
    return [Finding("end_times", "warning", message)]
