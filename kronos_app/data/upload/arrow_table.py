"""Parquet and Feather files as tables; only columns in use are expanded, after their declared sizes are added up."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload import decode
from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.data.upload.table import Selection, Table, check_columns, check_memory, check_rows, no_rows, text_at

READ_ERRORS = (
    pa.ArrowException, OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, struct.error,
    OverflowError,
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
    reader = _read_parquet if kind == "parquet" else _read_feather
    try:
        return reader(pa.py_buffer(content), name, select, limit, max_rows)
    except READ_ERRORS as error:
        raise decode.damaged(kind, name) from error


def first_rows(content: bytes, kind: decode.Kind, name: str, count: int) -> list[list[str]]:
    """Return the first rows of all columns as text."""
    from pyarrow import ipc, parquet

    source = pa.BufferReader(pa.py_buffer(content))
    try:
        if kind == "parquet":
            batch = next(parquet.ParquetFile(source).iter_batches(batch_size=count, use_threads=False), None)
        else:
            batch = ipc.open_file(source).get_batch(0)
        if batch is None:
            return []
        rows = range(min(count, batch.num_rows))
        return [[shorten(text_at(column, row)) for column in batch.columns] for row in rows]
    except READ_ERRORS as error:
        raise decode.damaged(kind, name) from error


def _read_parquet(buffer: pa.Buffer, name: str, select: Selection, limit: int, max_rows: int) -> Table:
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(buffer))
    schema = file.schema_arrow
    check_rows(file.metadata.num_rows, max_rows, name)
    wanted = [schema.names[position] for position in _selected(schema, select, name)]
    # The sizes of single columns would do, but pyarrow ends the process where the metadata of one are damaged.
    groups = range(file.metadata.num_row_groups)
    check_memory(sum(file.metadata.row_group(group).total_byte_size for group in groups), limit, name)
    # Text stays in dictionaries, so that one long value repeated a million times does not unfold.
    texts = [column for column in wanted if pa.types.is_string(schema.field(column).type)]
    file = parquet.ParquetFile(pa.BufferReader(buffer), read_dictionary=texts)
    return _from_arrow(file.read(columns=wanted, use_threads=False), schema, name, limit, max_rows)


def _read_feather(buffer: pa.Buffer, name: str, select: Selection, limit: int, max_rows: int) -> Table:
    """Read the messages of an Arrow file in order, after adding up the sizes they declare."""
    from pyarrow import ipc

    stream = buffer.slice(8)  # behind the magic bytes
    rows = size = 0
    for message in ipc.MessageReader.open_stream(pa.BufferReader(stream)):
        if message.type in {"record batch", "dictionary"}:
            length, bytes_ = _declared(message)
            rows, size = rows + length * (message.type == "record batch"), size + bytes_
            check_rows(rows, max_rows, name)
            check_memory(size, limit, name)
    schema = ipc.open_stream(pa.BufferReader(stream)).schema
    options = ipc.IpcReadOptions(included_fields=sorted(_selected(schema, select, name)), use_threads=False)
    return _from_arrow(
        ipc.open_stream(pa.BufferReader(stream), options=options).read_all(), schema, name, limit, max_rows
    )


def _selected(schema: pa.Schema, select: Selection, name: str) -> Collection[int]:
    check_columns(len(schema.names), name)
    repeated = {header for header in schema.names if schema.names.count(header) > 1}
    return [p for p in select(unique_labels(schema.names)) if schema.names[p] not in repeated]


def _declared(message: pa.ipc.Message) -> tuple[int, int]:
    """Return the rows of a record batch and its bytes after decompression, from the flatbuffer that describes it."""
    data = message.metadata.to_pybytes()
    body = message.body

    def field(table: int, index: int) -> int:
        vtable = table - struct.unpack_from("<i", data, table)[0]
        size = struct.unpack_from("<H", data, vtable)[0]
        offset = struct.unpack_from("<H", data, vtable + 4 + 2 * index)[0] if 4 + 2 * index < size else 0
        return table + offset if offset else 0

    def follow(position: int) -> int:
        return position + int(struct.unpack_from("<I", data, position)[0])

    header = follow(field(follow(0), 2))
    if message.type == "dictionary":
        header = follow(field(header, 1))
    length = int(struct.unpack_from("<q", data, field(header, 0))[0]) if field(header, 0) else 0
    if not field(header, 3):  # not compressed: what is there is all there is
        return length, body.size
    buffers = follow(field(header, 2))
    total = 0
    for index in range(struct.unpack_from("<I", data, buffers)[0]):
        offset, stored = struct.unpack_from("<qq", data, buffers + 4 + 16 * index)
        declared = struct.unpack_from("<q", body, offset)[0] if stored >= 8 else 0
        total += max(declared, stored)
    return length, total


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
