"""Plain content as a table: the columns in use as Arrow arrays, within limits of rows and memory."""

from __future__ import annotations

import csv
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.upload import decode
from kronos_app.data.upload.columns import ColumnMap, find_columns, recognised, shorten, shorten_list
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

DELIMITERS = (",", ";", "\t", "|")
HEADER_LINES = 30  # a header may follow a title or a remark
MOST_COLUMNS = 1000
READ_ERRORS = (
    pa.ArrowException,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    NotImplementedError,
    struct.error,
)


@dataclass(frozen=True)
class Table:
    """The columns in use by canonical name (`clock`: a separate time of day), headers, the file row of each line."""

    columns: dict[str, pa.ChunkedArray]
    headers: dict[str, str]
    unused: tuple[str, ...]
    rows: NDArray[np.int64]
    delimiter: str = ""


def read(content: bytes, kind: decode.Kind, name: str, *, limit_mb: int, max_rows: int) -> Table:
    """Return the table in `content`.

    Raises
    ------
    InvalidInput
        If it cannot be read as the kind of file it is, or lacks a required column.
    TooLarge
        If it has more rows than `max_rows` or would take more memory than the limit.
    """
    limit = limit_mb * 1_000_000
    if kind == "text":
        return _read_text(decode.to_utf8(content, name), name, max_rows)
    reader = _read_parquet if kind == "parquet" else _read_feather
    try:
        return reader(pa.py_buffer(content), name, limit, max_rows)
    except READ_ERRORS as error:
        raise decode.damaged(kind, name) from error


def _read_text(content: bytes, name: str, max_rows: int) -> Table:
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # old Macintosh
    if b"\n " in content:
        content = re.sub(rb"(?m)^ +(?=\r?$)", b"", content)  # a line of spaces is an empty line
    delimiter, line, headers = _find_header(content, name)
    if len(headers) > MOST_COLUMNS:
        raise InvalidInput(
            "too_many_columns",
            text("“{name}” has more than {count} columns.", name=name, count=MOST_COLUMNS),
            text("Keep the columns timestamp, open, high, low, close, volume and amount."),
        )
    found = find_columns(headers, name)
    lines = _filled_lines(content)
    lines = lines[lines > line]
    _check_rows(len(lines), max_rows, name)
    if not len(lines):
        raise _no_rows(name)
    table = _parse_csv(content, delimiter, line, headers, lines, name)
    columns = {column: table.column(position) for column, position in _positions(found).items()}
    empty = _all_empty(list(columns.values()))
    if empty.any():  # a spreadsheet's lines of nothing but separators
        columns = {column: cells.filter(pa.array(~empty)) for column, cells in columns.items()}
        lines = lines[~empty]
    if not len(lines):
        raise _no_rows(name)
    return Table(columns, _headers(found, headers), found.unused, lines, delimiter)


def _find_header(content: bytes, name: str) -> tuple[str, int, list[str]]:
    """Return the delimiter, the 1-based line of the header, and the headers."""
    head = content[:200_000].decode("utf-8", errors="ignore").split("\n")[:HEADER_LINES]
    best: tuple[int, str, int, list[str]] = (0, ",", 0, [])
    for number, line in enumerate(head, start=1):
        for delimiter in DELIMITERS:
            cells = _split(line.strip("\r"), delimiter)
            if recognised(cells) > best[0]:
                best = (recognised(cells), delimiter, number, cells)
    score, delimiter, number, headers = best
    if score >= 2:
        return delimiter, number, headers
    number, first = next((n, line.strip("\r")) for n, line in enumerate(head, start=1) if line.strip())
    delimiter = max(DELIMITERS, key=first.count)
    cells = _split(first, delimiter)
    if sum(bool(re.fullmatch(r"[-+]?[\d.,:/ TZ-]+", cell.strip())) for cell in cells) > len(cells) // 2:
        raise InvalidInput(
            "no_header",
            text(
                "“{name}” has no header row; row {row} begins with {found}.",
                name=name,
                row=number,
                found=shorten_list(cells, 6),
            ),
            text("Add a first row that names the columns: timestamp, open, high, low, close, volume."),
        )
    return delimiter, number, cells


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _filled_lines(content: bytes) -> NDArray[np.int64]:
    """Return the 1-based numbers of the lines that are not empty, as the CSV reader skips those that are."""
    data = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1] + 1)
    length = ends - starts
    only_return = (length == 1) & (data[np.minimum(starts, len(data) - 1)] == ord("\r"))
    return np.flatnonzero((length > 0) & ~only_return) + 1


def _parse_csv(
    content: bytes, delimiter: str, line: int, headers: Sequence[str], lines: NDArray[np.int64], name: str
) -> pa.Table:
    from pyarrow import csv as arrow_csv

    ragged: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    names = [str(position) for position in range(len(headers))]
    start = _line_start(content, line + 1)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(content).slice(start)),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=4 << 20),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        if not ragged:
            raise decode.not_a_table(name) from error
        row = ragged[0]
        number = int(lines[min(row.number - 1, len(lines) - 1)]) if row.number else 0
        raise InvalidInput(
            "ragged_row",
            text(
                "Row {row} of “{name}” has {found} cell(s) where the header has {expected}: “{value}”.", row=number,
                name=name, found=row.actual_columns, expected=row.expected_columns, value=shorten(row.text, 60),
            ),
            text("Correct or remove the row; a number with the separator inside must stand in quotes."),
        ) from error  # fmt: skip
    if table.num_rows != len(lines):  # a quoted cell with a line break inside: count rows instead of lines
        lines.resize(table.num_rows, refcheck=False)
        lines[:] = np.arange(line + 1, line + 1 + table.num_rows)
    return table


def _line_start(content: bytes, number: int) -> int:
    """Return where the 1-based line begins."""
    start = 0
    for _ in range(number - 1):
        end = content.find(b"\n", start)
        if end < 0:
            return len(content)
        start = end + 1
    return start


def _all_empty(columns: Sequence[pa.ChunkedArray]) -> NDArray[np.bool_]:
    empty = np.ones(len(columns[0]), dtype=bool)
    for cells in columns:
        empty &= np.asarray(pc.equal(cells, "").to_numpy(), dtype=bool)
    return empty


def _read_parquet(buffer: pa.Buffer, name: str, limit: int, max_rows: int) -> Table:
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.BufferReader(buffer))
    schema = file.schema_arrow
    found = find_columns(schema.names, name)
    _check_rows(file.metadata.num_rows, max_rows, name)
    wanted = [schema.names[position] for position in _positions(found).values()]
    size = 0
    for group in range(file.metadata.num_row_groups):
        chunks = [file.metadata.row_group(group).column(c) for c in range(file.metadata.num_columns)]
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in wanted)
    _check_memory(size, limit, name)
    # Text stays in dictionaries, so that one long value repeated a million times does not unfold.
    texts = [column for column in wanted if pa.types.is_string(schema.field(column).type)]
    file = parquet.ParquetFile(pa.BufferReader(buffer), read_dictionary=texts)
    return _from_arrow(file.read(columns=wanted, use_threads=False), schema.names, found, name, limit, max_rows)


def _read_feather(buffer: pa.Buffer, name: str, limit: int, max_rows: int) -> Table:
    """Read the messages of an Arrow file in order, after adding up the sizes they declare."""
    from pyarrow import ipc

    stream = buffer.slice(8)  # behind the magic bytes
    rows = size = 0
    for message in ipc.MessageReader.open_stream(pa.BufferReader(stream)):
        if message.type in {"record batch", "dictionary"}:
            length, bytes_ = _declared(message)
            rows, size = rows + length * (message.type == "record batch"), size + bytes_
            _check_rows(rows, max_rows, name)
            _check_memory(size, limit, name)
    schema = ipc.open_stream(pa.BufferReader(stream)).schema
    found = find_columns(schema.names, name)
    positions = sorted(set(_positions(found).values()))
    options = ipc.IpcReadOptions(included_fields=positions, use_threads=False)
    table = ipc.open_stream(pa.BufferReader(stream), options=options).read_all()
    return _from_arrow(table, schema.names, found, name, limit, max_rows)


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


def _from_arrow(
    table: pa.Table, headers: Sequence[str], found: ColumnMap, name: str, limit: int, max_rows: int
) -> Table:
    _check_rows(table.num_rows, max_rows, name)
    _check_memory(table.nbytes, limit, name)
    if not table.num_rows:
        raise _no_rows(name)
    columns = {}
    for column, position in _positions(found).items():
        columns[column] = _usable(table.column(headers[position]), headers[position], name)
    return Table(columns, _headers(found, headers), found.unused, np.arange(1, table.num_rows + 1))


def _usable(cells: pa.ChunkedArray, header: str, name: str) -> pa.ChunkedArray:
    """Return a column as numbers, times or short text; anything else is refused."""
    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells = cells.unify_dictionaries()
        values = cells.chunk(0).dictionary
        if _is_text(values.type) and (pc.max(pc.binary_length(values)).as_py() or 0) > 100:
            raise _wrong_type(header, "text", name)
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_null(kind):
        return cells.cast(pa.float64())
    if _is_text(kind):
        return cells.cast(pa.string())
    checks: tuple[Callable[[pa.DataType], bool], ...] = (
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date,
    )  # fmt: skip
    if any(check(kind) for check in checks):
        return cells
    raise _wrong_type(header, str(kind), name)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _wrong_type(header: str, kind: str, name: str) -> InvalidInput:
    return InvalidInput(
        "wrong_type",
        text("Column “{column}” of “{name}” is of type {kind}.", column=shorten(header), name=name, kind=shorten(kind)),
        text("Store prices and volumes as numbers, and times as timestamps or text."),
    )


def _positions(found: ColumnMap) -> dict[str, int]:
    return found.positions | ({} if found.clock is None else {"clock": found.clock})


def _headers(found: ColumnMap, headers: Sequence[str]) -> dict[str, str]:
    named = {column: shorten(headers[position]) for column, position in found.positions.items()}
    if found.clock is not None:
        named["timestamp"] += f" + {shorten(headers[found.clock])}"
    return named


def _check_rows(count: int, most: int, name: str) -> None:
    if count > most:
        raise TooLarge(
            "too_many_rows",
            text("“{name}” has {count} rows, more than the limit of {most}.", name=name, count=count, most=most),
            text("Upload a shorter range or a longer interval."),
        )


def _check_memory(size: int, limit: int, name: str) -> None:
    if size > limit:
        raise TooLarge(
            "file_too_large",
            text("“{name}” is larger than {limit} MB after decompression.", name=name, limit=limit // 1_000_000),
            text("Upload fewer candles."),
        )


def _no_rows(name: str) -> InvalidInput:
    return InvalidInput(
        "no_rows",
        text("“{name}” has a header but no candles.", name=name),
        text("Choose a file with at least one candle."),
    )
