"""A table whose cells are read as a mapping says: times, numbers and symbols, all its instruments together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import numbers, refusals, timestamps
from kronos_app.data.upload.cells import Floats, Mask, is_number, is_text, matches, to_mask
from kronos_app.data.upload.columns import QUALIFIERS, plain, shorten, shorten_list
from kronos_app.data.upload.files.table import Table, text_at
from kronos_app.data.upload.infer import Inference
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.i18n import text

_UNDEFINED_PRICE = float(2**63 - 1)  # Databento's, in billionths


@dataclass(frozen=True)
class Cells:
    """A column as in the file, and which of its cells cannot be read."""

    cells: pa.ChunkedArray
    bad: Mask
    header: str


@dataclass(frozen=True)
class Sheet:
    """A file whose cells have been read: one row of `frame` a line."""

    name: str  # of the file
    frame: pd.DataFrame  # times and numbers, indexed by the row in the file
    cells: Mapping[str, Cells]  # by role, the columns that were read
    symbol: str | None = None  # as in a table
    several: bool = False  # as in a table
    symbols: pa.ChunkedArray | None = None  # the instrument of each line, empty if unknown; None without symbols
    qualifiers: Mapping[str, pa.ChunkedArray] = field(default_factory=dict)  # columns that may distinguish series
    timezone: str | None = None
    findings: tuple[Finding, ...] = ()
    unused: tuple[str, ...] = ()  # headers without a role

    def matches(self, role: str, pattern: str) -> Mask:
        """Return which cells of a column match a regular expression; none of those that are no text."""
        cells = self.cells[role].cells
        return matches(cells, pattern) if is_text(cells) else np.zeros(len(cells), dtype=bool)


def read(table: Table, inference: Inference) -> Sheet:
    """Return the cells of a table read as an inference says, without the lines that are notes or headers.

    Raises InvalidInput: a price column is missing or holds no numbers, or the time column no times.
    """
    sheet = _read(table, inference)
    notes = _find_notes(sheet)
    return sheet if not notes.any() else _read(table.without_lines(notes), inference)


def _find_notes(sheet: Sheet) -> Mask:
    """Return which lines are no candles: above the first and below the last with a time or price, or headers again."""
    named = [role for role in ("timestamp", *PRICES) if role in sheet.frame]
    empty: Mask = np.asarray(sheet.frame[named].isna().to_numpy(bool).all(axis=1))
    if "timestamp" not in sheet.frame:  # an empty candle takes its place in time; words do not
        empty &= np.any([sheet.matches(role, r"\pL{2}") for role in PRICES], axis=0)
    candles = np.flatnonzero(~empty)
    notes = np.ones(len(empty), dtype=bool)
    if len(candles):
        notes[candles[0] : candles[-1] + 1] = False
    # Words in one price and nothing in the others, such as `0.24 Dividend`.
    blank = [sheet.frame[role].isna().to_numpy() & ~sheet.cells[role].bad for role in PRICES]
    words = [sheet.cells[role].bad & sheet.matches(role, r"\pL{4}") for role in PRICES]
    notes |= (np.sum(blank, axis=0) == len(PRICES) - 1) & np.any(words, axis=0)
    prices = [sheet.cells[role] for role in PRICES]
    if not all(is_text(price.cells) for price in prices):
        return notes
    repeated = [to_mask(pc.equal(pc.utf8_trim_whitespace(price.cells), price.header)) for price in prices]
    return np.asarray(notes | np.all(repeated, axis=0))


def _read(table: Table, inference: Inference) -> Sheet:
    mapping = inference.mapping
    roles: dict[str, str] = {role: h for h, role in mapping.columns.items() if role not in {"ignore", "symbol"}}
    if missing := [price for price in PRICES if price not in roles]:
        raise refusals.missing_prices(table, mapping, missing)
    columns = {role: _column(table, mapping, role, header) for role, header in roles.items()}
    unused = refusals.unused(table, mapping)
    findings = list(table.findings)
    if unused:
        findings.append(
            Finding("unused_columns", "info", text("Columns not used: {found}.", found=shorten_list(unused)))
        )
    findings += inference.findings
    frame = pd.DataFrame(index=pd.Index(table.rows, name="row"))
    cells: dict[str, Cells] = {}
    timezone = None
    if "timestamp" in roles or "date" in roles:
        parsed, cells["timestamp"] = _read_times(table, mapping, columns, roles)
        frame["timestamp"], timezone = parsed.values, parsed.timezone
        findings += parsed.findings
    features = {role: columns[role] for role in FEATURES if role in roles}
    values, remarks = numbers.parse(features, table.delimiter)
    findings += remarks
    for role, column in values.items():
        header = shorten(roles[role])
        if role in PRICES and np.isnan(column.values).all():
            raise refusals.no_numbers(table, mapping, role, header, text_at(features[role], 0))
        factor = mapping.factor(role)
        numbers_read, remarks = _without_placeholders(role, header, column.values)
        findings += remarks
        # Dividing by a power of ten is exact to the last digit; multiplying by its inverse is not.
        frame[role] = numbers_read / round(1 / factor) if 0 < factor <= 0.5 else numbers_read * factor
        if factor != 1:
            findings.append(_multiplied(header, mapping.units[role], factor))
        cells[role] = Cells(features[role], column.bad, header)
    findings += _without_signs(frame, cells)
    symbols = None if table.several else _read_symbols(table, mapping, cells)
    return Sheet(
        table.name, frame, cells, table.symbol, table.several, symbols, _qualifiers(table, mapping), timezone,
        tuple(findings), tuple(map(shorten, unused)),
    )  # fmt: skip


def _column(table: Table, mapping: ColumnMapping, role: str, header: str) -> pa.ChunkedArray:
    """Return the cells of a role."""
    cells = table.cells.get(table.position(header))
    if cells is None:
        kind = table.unreadable.get(table.position(header), "unknown")
        raise refusals.wrong_type(table, mapping, role, header, kind)
    if role in FEATURES and not (is_text(cells) or is_number(cells)):
        raise refusals.wrong_type(table, mapping, role, header, str(cells.type))
    return cells


def _without_placeholders(role: str, header: str, values: Floats) -> tuple[Floats, list[Finding]]:
    """Return a volume or amount without the -1 that means none, a price without the number that means none."""
    if role in PRICES:
        return np.where(values == _UNDEFINED_PRICE, np.nan, values), []
    none = values == -1
    if not none.any() or not (none | (values == 0) | np.isnan(values)).all():
        return values, []
    message = text(
        "{count} cell(s) of column “{column}” are -1, which means no {role}; they were read as empty.",
        count=int(none.sum()), column=header, role=role,
    )  # fmt: skip
    return np.full(len(values), np.nan), [Finding("no_volume", "info", message)]


def _without_signs(frame: pd.DataFrame, cells: Mapping[str, Cells]) -> list[Finding]:
    """Remove the minus from prices that are candles only without it, and return the finding.

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


def _are_candles(prices: Floats) -> Mask:
    """Return which rows of open, high, low, close have the others within low and high; empty cells are."""
    open_, high, low, close = prices.T
    with np.errstate(invalid="ignore"):
        return np.asarray(~((low > high) | (open_ > high) | (open_ < low) | (close > high) | (close < low)))


def _read_times(
    table: Table, mapping: ColumnMapping, columns: Mapping[str, pa.ChunkedArray], roles: Mapping[str, str]
) -> tuple[timestamps.Parsed, Cells]:
    time = "timestamp" if "timestamp" in roles else "date"
    header = " + ".join(shorten(roles[role]) for role in (time, "clock") if role in roles)
    parsed = timestamps.parse(
        columns[time], columns.get("clock"), header=header, time_format=mapping.time_format, timezone=mapping.timezone
    )
    if np.isnat(parsed.values).all():
        first = next(iter(np.flatnonzero(parsed.bad)), None)
        row = None if first is None else int(table.rows[first])
        raise refusals.no_times(table, mapping, header, row, text_at(parsed.cells, int(first or 0)))
    return parsed, Cells(parsed.cells, parsed.bad, header)


def _read_symbols(table: Table, mapping: ColumnMapping, cells: dict[str, Cells]) -> pa.ChunkedArray | None:
    """Return the symbol of each line, those of several columns joined."""
    headers = [header for header in mapping.headers("symbol") if table.position(header) in table.cells]
    if not headers:
        return None
    columns = [_as_symbols(table.cells[table.position(header)]) for header in headers]
    joined = columns[0] if len(columns) == 1 else pc.utf8_trim_whitespace(pc.binary_join_element_wise(*columns, " "))
    cells["symbol"] = Cells(joined, np.zeros(len(table.rows), dtype=bool), " + ".join(map(shorten, headers)))
    return joined


def _as_symbols(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return symbols as text without spaces around it, empty where there is none; 600519.0 is 600519."""
    if pa.types.is_floating(column.type) and not pc.any(pc.not_equal(pc.round(column), column)).as_py():
        column = pc.cast(column, pa.int64(), safe=False)
    column = column if is_text(column) else pc.cast(column, pa.string())
    return pc.fill_null(pc.utf8_trim_whitespace(column), "")


def _qualifiers(table: Table, mapping: ColumnMapping) -> dict[str, pa.ChunkedArray]:
    """Return the unused columns that may distinguish several series of one symbol, in the order to try them."""
    free = {
        plain(header): position
        for position, header in enumerate(table.headers)
        if header not in mapping.columns and position in table.cells
    }
    return {table.headers[free[name]]: _as_symbols(table.cells[free[name]]) for name in QUALIFIERS if name in free}


def _multiplied(header: str, unit: str | float, factor: float) -> Finding:
    number = f"{factor:,.12g}"
    if isinstance(unit, str):
        message = text(
            "Column “{column}” counts in the unit {unit}; its numbers were multiplied by {factor}.",
            column=header, unit=unit, factor=number,
        )  # fmt: skip
    else:
        message = text("The numbers of column “{column}” were multiplied by {factor}.", column=header, factor=number)
    return Finding("unit", "info", message)
