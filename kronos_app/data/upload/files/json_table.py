"""JSON as a table: rows with or without names, columns, candles by time, and any of them inside an answer of an API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload.columns import candidates, recognised, unique_labels
from kronos_app.data.upload.files.table import Table, check_columns, check_rows
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

MOST_MB = 50  # objects of Python take ten times the memory of their text
LEAST_ROW = 10  # bytes of a row with a time and four prices; shorter ones by the million are no candles, but cost much
FREE_BYTES = 10_000  # size from which rows are counted
DEPTH = 6
# What follows the time in rows without names, in the order in which they are tried.
_ORDERS = (
    ("open", "high", "low", "close"),  # most exchanges
    ("low", "high", "open", "close"),  # Coinbase
    ("open", "close", "high", "low"),  # KuCoin, Bitfinex
    ("quote_volume", "close", "high", "low", "open", "volume"),  # Gate
)
_BEHIND: Mapping[int, tuple[str, ...]] = {  # what follows time, prices and volume, by the number of cells
    7: ("turnover",),
    12: ("close_time", "quote_volume", "count", "taker_base", "taker_quote", ""),  # Binance
}
Columns = dict[str, list[Any]]


def read(content: bytes, name: str, max_rows: int) -> Table | None:
    """Return the table in a JSON document or in lines of JSON; None if the content is neither.

    Raises
    ------
    InvalidInput
        There are no candles in it.
    TooLarge
        It has more rows or bytes than the limits.
    """
    if content.lstrip()[:1] not in {b"[", b"{"}:
        return None
    if len(content) > MOST_MB * 1_000_000:
        raise TooLarge(
            "file_too_large",
            text("“{name}” is a JSON file of more than {limit} MB.", name=name, limit=MOST_MB),
            text("Upload fewer candles, or the same as CSV or Parquet."),
        )
    if (content.count(b"[") + content.count(b"{")) * LEAST_ROW > len(content) + FREE_BYTES:
        raise _no_candles(name)
    try:
        document = _load(content)
    except RecursionError as error:
        raise _no_candles(name) from error
    if document is None:
        return None
    columns = _find(document, DEPTH)
    if columns is None:
        raise _no_candles(name)
    check_columns(len(columns), name)
    check_rows(_length(columns), max_rows, name)
    columns, findings = _with_names(columns, name)
    cells = {position: _to_arrow(values) for position, values in enumerate(columns.values())}
    rows = np.arange(1, _length(columns) + 1)
    return Table(name, unique_labels(list(columns)), cells, rows, findings=findings)


def _load(content: bytes) -> Any:
    """Return the document, a list where each line is one, or None."""
    source = content.decode("utf-8")
    try:
        return json.loads(source)
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in source.splitlines() if line.strip()]
    except ValueError:
        return None


def _find(value: Any, depth: int) -> Columns | None:
    """Return the largest table in a value."""
    if depth < 0 or not value:
        return None
    if isinstance(value, list):
        if all(isinstance(row, dict) for row in value):
            columns = _from_records(value)
            return columns if _is_table(columns) else _largest(value[:100], depth)
        return _from_rows(value) if all(isinstance(row, list) for row in value) else None
    if not isinstance(value, dict):
        return None
    lists = _equal_lists(value)
    table = _from_names_and_rows(value) or (lists if _is_table(lists) else None)
    return table or _by_key(value) or _several(value, depth) or _largest(value.values(), depth)


def _largest(values: Iterable[Any], depth: int) -> Columns | None:
    tables = (_find(value, depth - 1) for value in values if isinstance(value, dict | list))
    return max(filter(None, tables), key=_length, default=None)


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values()), []))


def _is_table(columns: Mapping[str, Any]) -> bool:
    return recognised(list(columns)) >= 4


def _with_time(columns: Columns, name: str, times: Sequence[Any]) -> Columns:
    """Return columns with the times in front unless they have some."""
    return columns if "timestamp" in candidates(list(columns)) else {name: list(times), **columns}


def _from_records(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Return row objects as columns; an object in a row counts as cells: `mid.c`."""
    flat = [_flat(row) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return {name: [row.get(name) for row in flat] for name in names}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, value in row.items():
        cells |= (
            {f"{name}.{inner}": cell for inner, cell in value.items()} if isinstance(value, dict) else {name: value}
        )
    return cells


def _label(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    """Return lists as columns; cells that a list lacks are empty."""
    labels = unique_labels(names)
    return {label: [row[p] if p < len(row) else None for row in rows] for p, label in enumerate(labels)}


def _from_rows(rows: Sequence[Sequence[Any]]) -> Columns | None:
    """Return lists as columns named by their position; a first list of names is the header."""
    named = recognised([cell for cell in rows[0] if isinstance(cell, str)]) >= 4
    names, body = ([str(cell) for cell in rows[0]], rows[1:]) if named else ([], rows)
    width = max(map(len, rows))
    return _label([*names, *[""] * (width - len(names))], body) if width >= 5 and body else None


def _from_names_and_rows(value: Mapping[str, Any]) -> Columns | None:
    """Return the columns of an object that has rows in one list and their names in another, None if it has not."""
    lists = {key: inner for key, inner in value.items() if isinstance(inner, list) and inner}
    bodies = [rows for rows in lists.values() if all(isinstance(row, list) for row in rows)]
    texts = [names for names in lists.values() if all(isinstance(name, str) for name in names)]
    heads = [names for names in texts if recognised(names) > 3 or names is value.get("columns")]
    pairs = [(names, rows) for names in heads for rows in bodies if len(names) == len(rows[0])]
    if not pairs:
        return None
    names, rows = max(pairs, key=lambda pair: len(pair[1]))
    columns, index = _label(names, rows), lists.get("index", [])
    return _with_time(columns, "index", index) if len(index) == len(rows) else columns


def _equal_lists(value: Mapping[str, Any]) -> Columns:
    """Return the lists of cells in an object, however deep, that are as long as most of them."""
    lists: Columns = {}

    def collect(part: Any, depth: int) -> None:
        for name, inner in part.items() if isinstance(part, dict) else ():
            if isinstance(inner, list) and inner and not any(isinstance(cell, dict | list) for cell in inner):
                lists.setdefault(str(name), inner)
            elif depth and isinstance(inner, dict):
                collect(inner, depth - 1)
            elif depth and isinstance(inner, list) and len(inner) == 1:
                collect(inner[0], depth - 1)

    collect(value, 4)
    lengths = [len(cells) for cells in lists.values()]
    usual = max(set(lengths), key=lengths.count, default=0)
    return {name: cells for name, cells in lists.items() if len(cells) == usual}


def _by_key(value: Mapping[str, Any]) -> Columns | None:
    """Return objects of objects: candles by their time, or columns whose cells have the time as their key."""
    if not all(isinstance(inner, dict) and inner for inner in value.values()):
        return None
    if _is_table(value):
        index = list(dict.fromkeys(key for inner in value.values() for key in inner))
        columns = {name: [inner.get(key) for key in index] for name, inner in value.items()}
        return _with_time(columns, "index", index)
    columns = _from_records(list(value.values()))
    if not _is_table(columns) or any(isinstance(cell, dict | list) for cells in columns.values() for cell in cells):
        return None
    return _with_time(columns, "timestamp", list(value))


def _several(value: Mapping[str, Any], depth: int) -> Columns | None:
    """Return the tables of several instruments, by their symbols, as one with a column for the symbol."""
    parts = {key: _find(inner, depth - 1) for key, inner in value.items() if isinstance(inner, dict | list)}
    tables = {key: columns for key, columns in parts.items() if columns and _is_table(columns)}
    names = {tuple(columns) for columns in tables.values()}
    if len(tables) < 2 or len(names) > 1:
        return None
    merged: Columns = {"symbol": [key for key, columns in tables.items() for _ in range(_length(columns))]}
    for name in next(iter(names)):
        merged.setdefault(name, [cell for columns in tables.values() for cell in columns[name]])
    return merged


def _with_names(columns: Columns, name: str) -> tuple[Columns, tuple[Finding, ...]]:
    """Return columns with names; those of lists without any by the order of prices that their values allow."""
    labels = list(columns)
    if labels != [f"column {position}" for position in range(1, len(labels) + 1)]:
        return columns, ()
    heads = [np.array([_number(cell) for cell in columns[label][:500]]) for label in labels[1:7]]
    orders = [dict(zip(order, heads, strict=False)) for order in _ORDERS if len(order) < 6 or len(labels) > 6]
    order = next((prices for prices in orders if _are_candles(prices)), orders[0])
    names = ["timestamp", *order]
    if "volume" not in order:
        average = len(labels) > 6 and _is_average(heads[4], order)
        names += ["average", "volume"] if average else ["volume", *_BEHIND.get(len(labels), ())]
    names = list(unique_labels([*names, *[""] * len(columns)][: len(columns)]))
    message = text(
        "The lists in “{name}” have no names; they were read as {order}.", name=name, order=", ".join(names[:7])
    )
    return dict(zip(names, columns.values(), strict=True)), (Finding("json_order", "info", message),)


def _are_candles(columns: Mapping[str, NDArray[np.float64]]) -> bool:
    high, low = columns["high"], columns["low"]
    with np.errstate(invalid="ignore"):
        return all(bool(np.all((columns[price] <= high) & (columns[price] >= low))) for price in PRICES)


def _is_average(values: NDArray[np.float64], columns: Mapping[str, NDArray[np.float64]]) -> bool:
    """Return whether a column lies within nearly all candles, as an average price does, so that it is no volume."""
    traded = np.flatnonzero(values > 0)  # Kraken writes 0 where nothing was traded
    within = (values[traded] <= columns["high"][traded]) & (values[traded] >= columns["low"][traded])
    return len(traded) > 0 and bool(within.mean() > 0.9)


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _to_arrow(values: Sequence[Any]) -> pa.ChunkedArray:
    """Return cells as whole numbers, numbers, or else text."""
    kinds = {type(value) for value in values} - {type(None)}
    try:
        if kinds and kinds <= {int, float}:
            return pa.chunked_array([pa.array(values, pa.int64() if kinds == {int} else pa.float64())])
    except (OverflowError, pa.ArrowException):
        pass  # larger than 64 bits: text
    cells = ["" if value is None or isinstance(value, dict | list) else str(value) for value in values]
    return pa.chunked_array([pa.array([cell.encode("utf-8", "replace").decode() for cell in cells], pa.string())])


def _no_candles(name: str) -> InvalidInput:
    return InvalidInput(
        "no_candles_in_json",
        text("“{name}” is a JSON file in which no candles can be recognised.", name=name),
        text(
            'Upload a list of objects such as {"time": …, "open": …, "high": …, "low": …, "close": …}, '
            "a list of lists, or the same as CSV."
        ),
    )
