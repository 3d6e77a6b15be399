"""A table whose cells are read as a mapping says: times, numbers and symbols, all its instruments together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import numbers, refusals, timestamps
from kronos_app.data.upload.columns import plain, shorten, shorten_list
from kronos_app.data.upload.infer import Inference
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.names import QUALIFIERS
from kronos_app.data.upload.table import Table, text_at, without_lines
from kronos_app.i18n import text

_UNDEFINED_PRICE = float(2**63 - 1)  # Databento's, in billionths
_TIME_ROLES = ("timestamp", "date", "clock")


@dataclass(frozen=True)
class Cells:
    """A column as in the file, and which of its cells cannot be read."""

    cells: pa.ChunkedArray
    bad: NDArray[np.bool_]
    header: str


@dataclass(frozen=True)
class Sheet:
    """A file whose cells have been read: one row of `frame` a line.

    Attributes
    ----------
    name
        Of the file.
    frame
        Times and numbers, indexed by the row in the file.
    cells
        By role, the columns that were read.
    symbol, several
        As in a table.
    symbols
        The instrument of each line, empty where there is none; None in a file without symbols.
    qualifiers
        By header, columns that may tell apart several series of one symbol.
    timezone, findings, unused
        As in a draft.
    """

    name: str
    frame: pd.DataFrame
    cells: Mapping[str, Cells]
    symbol: str | None = None
    several: bool = False
    symbols: pa.ChunkedArray | None = None
    qualifiers: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)
    timezone: str | None = None
    findings: tuple[Finding, ...] = ()
    unused: tuple[str, ...] = ()


def read(table: Table, inference: Inference) -> Sheet:
    """Return the cells of a table read as an inference says, without the lines that are notes or headers.

    Raises
    ------
    InvalidInput
        A price column is missing or holds no numbers, or the time column no times.
    """
    sheet = _read(table, inference)
    notes = _find_notes(sheet)
    return sheet if not notes.any() else _read(without_lines(table, notes), inference)


def _find_notes(sheet: Sheet) -> NDArray[np.bool_]:
    """Return which lines are no candles: above the first and below the last with a time or price, or headers again."""
    named = [role for role in ("timestamp", *PRICES) if role in sheet.frame]
    empty: NDArray[np.bool_] = np.asarray(sheet.frame[named].isna().to_numpy(bool).all(axis=1))
    if "timestamp" not in sheet.frame:  # an empty candle takes its place in time; words do not
        words = [pc.match_substring_regex(sheet.cells[role].cells, r"\pL{2}") for role in PRICES
                 if numbers.is_text(sheet.cells[role].cells)]  # fmt: skip
        empty &= np.array([_as_mask(column) for column in words]).any(axis=0) if words else False
    candles = np.flatnonzero(~empty)
    notes = np.ones(len(empty), dtype=bool)
    if len(candles):
        notes[candles[0] : candles[-1] + 1] = False
    repeated = [
        _as_mask(pc.equal(pc.utf8_trim_whitespace(sheet.cells[role].cells), sheet.cells[role].header))
        for role in PRICES
        if numbers.is_text(sheet.cells[role].cells)
    ]
    notes |= _remarks(sheet)
    return notes | np.array(repeated).all(axis=0) if len(repeated) == len(PRICES) else notes


def _remarks(sheet: Sheet) -> NDArray[np.bool_]:
    """Return which lines have words in one price and nothing in the others, such as `0.24 Dividend`."""
    empty = np.array([sheet.frame[role].isna().to_numpy() & ~sheet.cells[role].bad for role in PRICES])
    words = [
        sheet.cells[role].bad & _as_mask(pc.match_substring_regex(sheet.cells[role].cells, r"\pL{4}"))
        if numbers.is_text(sheet.cells[role].cells)
        else np.zeros(len(sheet.frame), dtype=bool)
        for role in PRICES
    ]
    return np.asarray((empty.sum(axis=0) == len(PRICES) - 1) & np.array(words).any(axis=0))


def _as_mask(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(column, False).to_numpy(), dtype=bool)


def _read(table: Table, inference: Inference) -> Sheet:
    mapping = inference.mapping
    where: dict[str, int] = {
        role: table.headers.index(h) for h, role in mapping.columns.items() if role not in {"ignore", "symbol"}
    }
    missing = [price for price in PRICES if price not in where]
    if missing:
        raise refusals.missing_prices(table, mapping, missing)
    for role, position in where.items():
        _check_type(table, mapping, role, position)
    frame = pd.DataFrame(index=pd.Index(table.rows, name="row"))
    findings = [*table.findings, *_unused(table, mapping), *inference.findings]
    cells: dict[str, Cells] = {}
    timezone = None
    if "timestamp" in where or "date" in where:
        parsed, cells["timestamp"] = _read_times(table, mapping, where)
        frame["timestamp"] = parsed.values
        timezone = parsed.timezone
        findings += parsed.findings
    columns = {role: table.cells[where[role]] for role in FEATURES if role in where}
    values, remarks = numbers.parse(columns, table.delimiter)
    findings += remarks
    for role, parsed_numbers in values.items():
        header = shorten(table.headers[where[role]])
        if role in PRICES and np.isnan(parsed_numbers.values).all():
            raise refusals.no_numbers(table, mapping, role, header, text_at(columns[role], 0))
        factor = mapping.factor(role)
        numbers_read, remarks = _without_placeholders(role, header, parsed_numbers.values)
        findings += remarks
        # Dividing by a power of ten is exact to the last digit; multiplying by its inverse is not.
        frame[role] = numbers_read / round(1 / factor) if 0 < factor <= 0.5 else numbers_read * factor
        if factor != 1:
            findings.append(_multiplied(header, mapping.units[role], factor))
        cells[role] = Cells(columns[role], parsed_numbers.bad, header)
    findings += _without_signs(frame, cells)
    symbols = None if table.several else _read_symbols(table, mapping, cells)
    return Sheet(
        table.name, frame, cells, table.symbol, table.several, symbols, _qualifiers(table, mapping), timezone,
        tuple(findings), tuple(shorten(header) for header in refusals.unused(table, mapping)),
    )  # fmt: skip


def _without_placeholders(
    role: str, header: str, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[Finding]]:
    """Return a volume or amount without the -1 that means none, a price without the number that stands for none."""
    if role in PRICES:
        return np.where(values == _UNDEFINED_PRICE, np.nan, values), []
    none = values == -1
    if not none.any() or ((values != -1) & (values != 0) & ~np.isnan(values)).any():
        return values, []
    message = text("{count} cell(s) of column “{column}” say -1, which stands for no {role}; they were read as empty.",
                   count=int(none.sum()), column=header, role=role)  # fmt: skip
    return np.full(len(values), np.nan), [Finding("no_volume", "info", message)]


def _without_signs(frame: pd.DataFrame, cells: Mapping[str, Cells]) -> list[Finding]:
    """Take the minus from prices that make candles only without it, and return what to say.

    CRSP marks averages of bid and ask so, Kiwoom prices that fell.
    """
    prices = frame[list(PRICES)].to_numpy()
    minus = (prices < 0).any(axis=1)
    if not minus.any() or _are_candles(prices[minus]).all() or not _are_candles(np.abs(prices[minus])).all():
        return []
    headers = shorten_list([cells[role].header for role in PRICES if (frame[role] < 0).any()])
    frame[list(PRICES)] = np.abs(prices)
    message = text(
        "{count} row(s) have a minus in {columns} and are candles only without it; the prices were read so. CRSP marks "
        "averages of bid and ask in this way.", count=int(minus.sum()), columns=headers,
    )  # fmt: skip
    return [Finding("bid_ask_average", "warning", message)]


def _are_candles(prices: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which rows of open, high, low, close have the others within low and high; empty cells are."""
    open_, high, low, close = prices.T
    with np.errstate(invalid="ignore"):
        return np.asarray(~((low > high) | (open_ > high) | (open_ < low) | (close > high) | (close < low)))


def _check_type(table: Table, mapping: ColumnMapping, role: str, position: int) -> None:
    header = table.headers[position]
    cells = table.cells.get(position)
    if cells is None:
        raise refusals.wrong_type(table, mapping, role, header, table.unreadable.get(position, "unknown"))
    times = role in _TIME_ROLES
    if not times and not (numbers.is_text(cells) or numbers.is_number(cells)):
        raise refusals.wrong_type(table, mapping, role, header, str(cells.type))


def _read_times(table: Table, mapping: ColumnMapping, where: Mapping[str, int]) -> tuple[timestamps.Parsed, Cells]:
    position = where.get("timestamp", where.get("date", -1))
    clock = where.get("clock")
    header = " + ".join(shorten(table.headers[p]) for p in (position, clock) if p is not None)
    parsed = timestamps.parse(
        table.cells[position], None if clock is None else table.cells[clock],
        header=header, time_format=mapping.time_format, timezone=mapping.timezone,
    )  # fmt: skip
    if np.isnat(parsed.values).all():
        bad = np.flatnonzero(parsed.bad)
        first = int(bad[0]) if len(bad) else 0
        value = text_at(parsed.cells, first)
        row = int(table.rows[first]) if len(bad) else None
        raise refusals.no_times(table, mapping, header, row, value)
    return parsed, Cells(parsed.cells, parsed.bad, header)


def _read_symbols(table: Table, mapping: ColumnMapping, cells: dict[str, Cells]) -> pa.ChunkedArray | None:
    """Return the symbol of each line, those of several columns joined."""
    headers = [h for h in mapping.headers("symbol") if table.headers.index(h) in table.cells]
    if not headers:
        return None
    columns = [_as_symbols(table.cells[table.headers.index(header)]) for header in headers]
    joined = columns[0] if len(columns) == 1 else pc.utf8_trim_whitespace(pc.binary_join_element_wise(*columns, " "))
    no_fault = np.zeros(len(table.rows), dtype=bool)
    cells["symbol"] = Cells(joined, no_fault, " + ".join(shorten(header) for header in headers))
    return joined


def _as_symbols(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return symbols as text without spaces around it, empty where there is none; 600519.0 is 600519."""
    if pa.types.is_floating(column.type) and not pc.any(pc.not_equal(pc.round(column), column)).as_py():
        column = pc.cast(column, pa.int64(), safe=False)
    column = column if numbers.is_text(column) else pc.cast(column, pa.string())
    return pc.fill_null(pc.utf8_trim_whitespace(column), "")


def _qualifiers(table: Table, mapping: ColumnMapping) -> dict[str, pa.ChunkedArray]:
    """Return the unused columns that may tell apart several series of one symbol, in the order in which to try them."""
    free = {
        plain(header): position
        for position, header in enumerate(table.headers)
        if mapping.columns.get(header) is None and position in table.cells
    }
    return {table.headers[free[name]]: _as_symbols(table.cells[free[name]]) for name in QUALIFIERS if name in free}


def _unused(table: Table, mapping: ColumnMapping) -> list[Finding]:
    headers = refusals.unused(table, mapping)
    if not headers:
        return []
    return [Finding("unused_columns", "info", text("Columns not used: {found}.", found=shorten_list(headers)))]


def _multiplied(header: str, unit: str | float, factor: float) -> Finding:
    if isinstance(unit, str):
        message = text(
            "Column “{column}” counts in the unit {unit}; its numbers were multiplied by {factor}.",
            column=header, unit=unit, factor=f"{factor:,.12g}",
        )  # fmt: skip
    else:
        message = text("The numbers of column “{column}” were multiplied by {factor}.", column=header,
                       factor=f"{factor:,.12g}")  # fmt: skip
    return Finding("unit", "info", message)
