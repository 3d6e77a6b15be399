"""Parquet and Feather files as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from kronos_app.data.upload import columnar, decode
from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.data.upload.table import Selection, Table, check_columns, check_memory, check_rows, no_rows, text_at

READ_ERRORS = (
    pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, OverflowError,
)  # fmt: skip
_READABLE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date,
    pa.types.is_time,
)  # fmt: skip


def read(content: bytes, kind: decode.Kind, name: str, select: Selection, *, limit: int, max_rows: int) -> Table:
    """Return the table in a Parquet or Feather file.

    Raises
    ------
    InvalidInput, TooLarge
        As `tables.read`.
    """
    stream = columnar.rewrite(content, kind, name, limit=limit, max_rows=max_rows)
    try:
        schema = ipc.open_stream(stream).schema
        options = ipc.IpcReadOptions(included_fields=sorted(_selected(schema, select, name)), use_threads=False)
        return _from_arrow(ipc.open_stream(stream, options=options).read_all(), schema, name, limit, max_rows)
    except READ_ERRORS as error:
        raise decode.damaged(kind, name) from error


def first_rows(
    content: bytes, kind: decode.Kind, name: str, count: int, *, limit: int, max_rows: int
) -> list[list[str]]:
    """Return the first rows of all columns as text."""
    stream = columnar.rewrite(content, kind, name, limit=limit, max_rows=max_rows)
    batch = next(iter(ipc.open_stream(stream)), None)
    if batch is None:
        return []
    rows = range(min(count, batch.num_rows))
    return [[shorten(text_at(column, row)) for column in batch.columns] for row in rows]


def _selected(schema: pa.Schema, select: Selection, name: str) -> Collection[int]:
    check_columns(len(schema.names), name)
    repeated = {header for header in schema.names if schema.names.count(header) > 1}
    return [p for p in select(unique_labels(schema.names)) if schema.names[p] not in repeated]


def _from_arrow(table: pa.Table, schema: pa.Schema, name: str, limit: int, max_rows: int) -> Table:
    check_rows(table.num_rows, max_rows, name)
    check_memory(table.nbytes, limit, name)
    if not table.num_rows and table.num_columns:
        raise no_rows(name)
    cells, unreadable = {}, {}
    for header in table.column_names:
        position = schema.names.index(header)
        usable = _usable(table.column(header))
        if usable is None:
            unreadable[position] = str(table.column(header).type)
        else:
            cells[position] = usable
    rows = np.arange(1, table.num_rows + 1)
    return Table(name, unique_labels(schema.names), cells, rows, unreadable=unreadable)


def _usable(cells: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return a column as numbers, times or short text; None for anything else."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells = cells.unify_dictionaries()
        values = cells.chunk(0).dictionary if cells.num_chunks else pa.array([], kind.value_type)
        if _is_text(values.type) and (pc.max(pc.binary_length(values)).as_py() or 0) > 100:
            return None
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return cells.cast(pa.float64())
    if _is_text(kind):
        return cells.cast(pa.string())
    if pa.types.is_float16(kind):
        return cells.cast(pa.float32())  # Arrow computes little with half a float
    if pa.types.is_timestamp(kind) and kind.tz and not _is_zone(kind.tz):
        return cells.cast(pa.timestamp(kind.unit, "UTC"))  # the instants are right, whatever the name of their zone
    return cells if any(check(kind) for check in _READABLE) else None


def _is_zone(name: str) -> bool:
    return name in available_timezones() or re.fullmatch(r"[+-]\d\d:\d\d", name) is not None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
