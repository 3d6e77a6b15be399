"""Text with separators as a table: where its header is, what stands above and below it, and its cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.draft import Finding
from kronos_app.data.upload import decode
from kronos_app.data.upload.columns import recognised, shorten, unique_labels
from kronos_app.data.upload.table import Table, check_columns, check_rows, no_rows
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

DELIMITERS = (",", ";", "\t", "|")
HEADER_LINES = 30  # a header may follow a title or a remark
_VALUE = re.compile(r"[-+]?[\d.,:/ TZ-]+")


@dataclass(frozen=True)
class Header:
    """Where a text's header is: its delimiter, 1-based line (0 if there is none), and names."""

    delimiter: str
    line: int
    names: tuple[str, ...]


def read(content: bytes, name: str, max_rows: int) -> Table:
    """Return all columns of a text with separators, as text.

    Raises
    ------
    InvalidInput, TooLarge
        As `tables.read`.
    """
    content = clean(content)
    header = find_header(content)
    check_columns(len(header.names), name)
    lines = _filled_lines(content)
    lines = lines[lines > header.line]
    check_rows(len(lines), max_rows, name)
    if not len(lines):
        raise no_rows(name)
    table, lines, findings = _parse(content, header, lines, name)
    cells = dict(enumerate(table.columns))
    empty = _all_empty(table.columns)
    if empty.any():  # a spreadsheet's lines of nothing but separators
        cells = {position: column.filter(pa.array(~empty)) for position, column in cells.items()}
        lines = lines[~empty]
    if not len(lines):
        raise no_rows(name)
    labels = unique_labels(header.names)
    return Table(name, labels, cells, lines, header.delimiter, named=header.line > 0, findings=findings)


def clean(content: bytes) -> bytes:
    """Return text with line feeds, lines of spaces emptied."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # old Macintosh
    return re.sub(rb"(?m)^ +(?=\r?$)", b"", content) if b"\n " in content else content


def find_header(content: bytes) -> Header:
    """Return where the names of the columns are; line 0 and empty names where the first line holds values."""
    head = content[:200_000].decode("utf-8", errors="ignore").split("\n")[:HEADER_LINES]
    best = (0, Header(",", 0, ()))
    for number, line in enumerate(head, start=1):
        for delimiter in DELIMITERS:
            names = split(line.strip("\r"), delimiter)
            if recognised(names) > best[0]:
                best = (recognised(names), Header(delimiter, number, tuple(names)))
    if best[0] >= 2:
        return best[1]
    number, first = next(((n, line.strip("\r")) for n, line in enumerate(head, start=1) if line.strip()), (1, ""))
    delimiter = max(DELIMITERS, key=first.count)
    names = split(first, delimiter)
    values = sum(bool(_VALUE.fullmatch(cell.strip())) for cell in names)
    return (
        Header(delimiter, 0, ("",) * len(names))
        if values > len(names) // 2
        else Header(delimiter, number, tuple(names))
    )


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line; none where its quotes do not match."""
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


def _parse(
    content: bytes, header: Header, lines: NDArray[np.int64], name: str
) -> tuple[pa.Table, NDArray[np.int64], tuple[Finding, ...]]:
    """Return the cells below the header, the file rows of its lines, and what was left out."""
    from pyarrow import csv as arrow_csv

    ragged: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    names = [str(position) for position in range(len(header.names))]
    start = _line_start(content, header.line + 1)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(pa.py_buffer(content).slice(start)),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=4 << 20),
            parse_options=arrow_csv.ParseOptions(delimiter=header.delimiter, invalid_row_handler=note),
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
        lines = np.arange(header.line + 1, header.line + 1 + table.num_rows)
    return table, lines, ()


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
