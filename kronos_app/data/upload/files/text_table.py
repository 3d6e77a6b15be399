"""Text with separators as a table: its header, the cells below, and the notes above and below the candles."""

from __future__ import annotations

import re
from functools import reduce
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.data.upload.files.headers import Header, find_header, split
from kronos_app.data.upload.files.table import Table, check_columns, check_rows, left_out, no_rows
from kronos_app.data.upload.files.unread import not_a_table
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

_NUMBER = re.compile(r"[-+]?[\d.,:/ %-]*\d[\d.,:/ %-]*")
_MONTH = re.compile(r"(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_WORD = re.compile(r"[^\W\d_]{4}")
_COMMENT = re.compile(r"\s*[\"']?\s*(#|//|--|\*|注|※)")
PIECE = 4_000_000  # bytes


class _Ragged(NamedTuple):
    """A line with another number of cells than the header: its position below the header, its cells and text."""

    position: int
    cells: int
    text: str


def read(content: bytes, name: str, max_rows: int) -> Table:
    """Return all columns of a text with separators, as text.

    Raises InvalidInput or TooLarge as `tables.read`.
    """
    content = clean(content)
    header = find_header(content)
    if not header.names:
        raise not_a_table(name)
    check_columns(len(header.names), name)
    body = b"".join(content.split(b"\n", header.line)[header.line :])
    lines = _filled_lines(body, max_rows, name) + header.line
    columns, ragged = _parse(body, header, name)
    if any(not _surplus(row, header) for row in ragged):
        columns, ragged = _parse(_without_surplus(body, header), header, name)
    count = len(columns[0])
    if count + len(ragged) != len(lines):  # a quoted cell with a line break inside: count rows instead of lines
        lines = np.arange(count + len(ragged)) + header.line + 1
    positions = np.array([min(row.position, len(lines) - 1) for row in ragged], dtype=int)
    candles = np.setdiff1d(np.arange(len(lines)), positions) if ragged else np.arange(len(lines))
    outside = (positions < candles[0]) | (positions > candles[-1]) if count else np.zeros(len(ragged), bool)
    for row, line, is_outside in zip(ragged, lines[positions], outside, strict=True):
        if not _is_note(row.text, header.delimiter, outside=bool(is_outside)):
            raise _ragged_row(row, int(line), header, name)
    findings = left_out([(int(line), row.text) for row, line in zip(ragged, lines[positions], strict=True)])
    lines = lines[candles] if len(candles) == count else np.arange(count) + header.line + 1
    empty = reduce(np.logical_and, (pc.equal(cells, "").to_numpy() for cells in columns))  # as spreadsheets write them
    if empty.all():
        raise no_rows(name)
    cells = {p: column.filter(pa.array(~empty)) if empty.any() else column for p, column in enumerate(columns)}
    labels = unique_labels([" ".join(filter(None, pair)) for pair in zip(header.names, header.tickers, strict=True)])
    fields, tickers = (header.names, header.tickers) if any(header.tickers) else ((), ())
    return Table(
        name, labels, cells, lines[~empty], header.delimiter, named=header.line > 0, findings=findings, fields=fields,
        tickers=tickers,
    )  # fmt: skip


def clean(content: bytes) -> bytes:
    """Return text with line feeds, lines of spaces emptied."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # old Macintosh
    return re.sub(rb"(?m)^ +(?=\r?$)", b"", content) if b"\n " in content else content


def _filled_lines(content: bytes, max_rows: int, name: str) -> NDArray[np.int64]:
    """Return the 1-based numbers of the lines that are not empty, as the CSV reader skips those that are."""
    filled, start, before, count = [np.empty(0, np.int64)], 0, 0, 0
    while start < len(content):
        # A piece at a time: positions of line ends take many times the memory of the text.
        stop = content.find(b"\n", start + PIECE) + 1 or len(content)
        data = np.frombuffer(content, np.uint8, stop - start, start)
        ends = np.flatnonzero(data == ord("\n"))
        if data[-1] != ord("\n"):
            ends = np.append(ends, len(data))
        length = np.diff(ends, prepend=-1) - 1
        only_return = (length == 1) & (data[ends - 1] == ord("\r"))
        numbers = np.flatnonzero((length > 0) & ~only_return) + 1
        count += len(numbers)
        if count <= max_rows:
            filled.append(numbers + before)
        start, before = stop, before + len(ends)
    check_rows(count, max_rows, name)
    return np.concatenate(filled)


def _parse(body: bytes, header: Header, name: str) -> tuple[list[pa.ChunkedArray], list[_Ragged]]:
    """Return the columns below the header, and the lines that have another number of cells."""
    from pyarrow import csv as arrow_csv

    ragged: list[_Ragged] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        ragged.append(_Ragged((row.number or 1) - 1, row.actual_columns, row.text))
        return "skip"

    names = [str(position) for position in range(len(header.names))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=4 << 20),
            parse_options=arrow_csv.ParseOptions(delimiter=header.delimiter, invalid_row_handler=skip),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise not_a_table(name) from error
    return [column.cast(pa.string()) for column in table.columns], ragged  # a table without rows has other types


def _surplus(row: _Ragged, header: Header) -> list[str]:
    """Return the cells of a line beyond the header's that are not empty; a line that has too few counts as one."""
    cells = split(row.text, header.delimiter)
    return cells if len(cells) < len(header.names) else [c for c in cells[len(header.names) :] if c.strip()]


def _without_surplus(body: bytes, header: Header) -> bytes:
    """Return lines without the separators that some of them have at their end beyond the header's."""
    lines = []
    for line in body.decode("utf-8", errors="replace").split("\n"):
        cells = split(line.rstrip("\r"), header.delimiter)
        while len(cells) > len(header.names) and not cells[-1].strip() and line.rstrip().endswith(header.delimiter):
            cells.pop()
            line = line.rstrip()[: -len(header.delimiter)]
        lines.append(line)
    return "\n".join(lines).encode("utf-8", errors="replace")


def _is_note(line: str, delimiter: str, *, outside: bool) -> bool:
    """Return whether a line is no candle: a comment, words `outside` the candles, or a remark between them."""
    if _COMMENT.match(line):
        return True
    cells = [cell.strip() for cell in split(line, delimiter) if cell.strip()]
    if outside and sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) <= 2:
        first = _MONTH.sub("", cells[0]) if cells else ""
        letters = sum(character.isalpha() for character in first)
        if letters > 1 and (not first[:1].isdigit() or (len(cells) < 3 and letters > 3)):
            return True
    # A time and words but too few cells for a candle, as dividends between candles have.
    return len(cells) <= len(PRICES) and any(_WORD.search(_MONTH.sub("", cell)) for cell in cells[1:])


def _ragged_row(row: _Ragged, line: int, header: Header, name: str) -> InvalidInput:
    return InvalidInput(
        "ragged_row",
        text(
            "Row {row} of “{name}” has {found} cell(s) where the header has {expected}: “{value}”.",
            row=line, name=name, found=row.cells, expected=len(header.names), value=shorten(row.text, 60),
        ),
        text("Correct or remove the row; a number that contains the separator must be in quotes."),
    )  # fmt: skip
