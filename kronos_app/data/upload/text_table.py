"""Text with separators as a table: its header, the cells below, and the notes above and below the candles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload import decode
from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.data.upload.headers import Header, find_header, split
from kronos_app.data.upload.table import Table, check_columns, check_rows, left_out, no_rows
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

_NUMBER = re.compile(r"[-+]?[\d.,:/ %-]*\d[\d.,:/ %-]*")
_MONTH = re.compile(r"(?i)jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec")
_WORD = re.compile(r"[^\W\d_]{4}")
_COMMENT = re.compile(r"\s*[\"']?\s*(#|//|--|\*|注|※)")
PIECE = 4_000_000  # bytes


@dataclass(frozen=True)
class _Ragged:
    """A line with another number of cells than the header: its place among the lines below that, cells and text."""

    place: int
    cells: int
    text: str


def read(content: bytes, name: str, max_rows: int) -> Table:
    """Return all columns of a text with separators, as text.

    Raises
    ------
    InvalidInput, TooLarge
        As `tables.read`.
    """
    content = clean(content)
    header = find_header(content)
    if not header.names:
        raise decode.not_a_table(name)
    check_columns(len(header.names), name)
    body = content[_line_start(content, header.line + 1) :]
    lines = _filled_lines(body, max_rows, name) + header.line
    if not len(lines):
        raise no_rows(name)
    columns, ragged = _parse(body, header, name)
    if any(not _surplus(row, header) for row in ragged):
        body = _without_surplus(body, header)
        columns, ragged = _parse(body, header, name)
    count = len(columns[0]) + len(ragged)
    if count != len(lines):  # a quoted cell with a line break inside: count rows instead of lines
        lines = np.arange(header.line + 1, header.line + 1 + count)
    ragged = [replace(row, place=min(row.place, count - 1)) for row in ragged]
    notes = _notes(ragged, len(columns[0]), lines, header, name)
    lines = np.delete(lines, [row.place for row in ragged])
    if len(lines) != len(columns[0]):  # the same, with lines left out
        lines = np.arange(header.line + 1, header.line + 1 + len(columns[0]))
    empty = _all_empty(columns)  # a spreadsheet's lines of nothing but separators
    lines = lines[~empty]
    if not len(lines):
        raise no_rows(name)
    cells = {p: column.filter(pa.array(~empty)) if empty.any() else column for p, column in enumerate(columns)}
    labels = unique_labels([" ".join(filter(None, pair)) for pair in zip(header.names, header.tickers, strict=True)])
    return Table(
        name, labels, cells, lines, header.delimiter, named=header.line > 0, findings=notes,
        fields=header.names if any(header.tickers) else (), tickers=header.tickers if any(header.tickers) else (),
    )  # fmt: skip


def clean(content: bytes) -> bytes:
    """Return text with line feeds, lines of spaces emptied."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # old Macintosh
    return re.sub(rb"(?m)^ +(?=\r?$)", b"", content) if b"\n " in content else content


def _filled_lines(content: bytes, max_rows: int, name: str) -> NDArray[np.int64]:
    """Return the 1-based numbers of the lines that are not empty, as the CSV reader skips those that are.

    Raises
    ------
    TooLarge
        There are more than `max_rows`.
    """
    filled, start, before, count = [np.empty(0, np.int64)], 0, 0, 0
    while start < len(content):
        # A piece at a time: positions of line ends take many times the memory of the text.
        stop = content.find(b"\n", start + PIECE) + 1 or len(content)
        numbers, lines = _filled(np.frombuffer(content, np.uint8, stop - start, start))
        count += len(numbers)
        if count <= max_rows:
            filled.append(numbers + before)
        start, before = stop, before + lines
    check_rows(count, max_rows, name)
    return np.concatenate(filled)


def _filled(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """Return the 1-based numbers of the lines that are not empty, and how many lines there are."""
    ends = np.flatnonzero(data == ord("\n"))
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1] + 1)
    length = ends - starts
    only_return = (length == 1) & (data[np.minimum(starts, len(data) - 1)] == ord("\r"))
    return np.flatnonzero((length > 0) & ~only_return) + 1, len(ends)


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
        raise decode.not_a_table(name) from error
    return [column.cast(pa.string()) for column in table.columns], ragged  # a table without rows has other types


def _surplus(row: _Ragged, header: Header) -> list[str]:
    """Return the cells of a line beyond the header's that are not empty; a line that has too few counts as one."""
    cells = split(row.text, header.delimiter)
    return cells if len(cells) < len(header.names) else [c for c in cells[len(header.names) :] if c.strip()]


def _without_surplus(body: bytes, header: Header) -> bytes:
    """Return lines without the separators that some of them have at their end beyond the header's."""
    count = len(header.names)
    lines = []
    for line in body.decode("utf-8", errors="replace").split("\n"):
        cells = split(line.rstrip("\r"), header.delimiter)
        while len(cells) > count and not cells[-1].strip() and line.rstrip().endswith(header.delimiter):
            cells.pop()
            line = line.rstrip()[: -len(header.delimiter)]
        lines.append(line)
    return "\n".join(lines).encode("utf-8", errors="replace")


def _notes(
    ragged: Sequence[_Ragged], good: int, lines: NDArray[np.int64], header: Header, name: str
) -> tuple[Finding, ...]:
    """Return what to say about lines that are no candles.

    Raises
    ------
    InvalidInput
        One of them may be a candle: it has numbers, or lies between candles.
    """
    places = {row.place for row in ragged}
    candles = [place for place in range(len(lines)) if place not in places]
    first, last = (candles[0], candles[-1]) if candles else (len(lines), -1)
    for row in ragged:
        outside = row.place < first or row.place > last
        if not (
            _COMMENT.match(row.text)
            or (outside and good and _is_note(row.text, header.delimiter))
            or _is_remark(row.text, header.delimiter)
        ):
            raise InvalidInput(
                "ragged_row",
                text(
                    "Row {row} of “{name}” has {found} cell(s) where the header has {expected}: “{value}”.",
                    row=int(lines[row.place]), name=name, found=row.cells, expected=len(header.names),
                    value=shorten(row.text, 60),
                ),
                text("Correct or remove the row; a number with the separator inside must stand in quotes."),
            )  # fmt: skip
    return left_out([(int(lines[row.place]), row.text) for row in ragged])


def _is_note(line: str, delimiter: str) -> bool:
    """Return whether a line is words rather than values."""
    cells = [cell.strip() for cell in split(line, delimiter) if cell.strip()]
    if sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) > 2:
        return False
    first = _MONTH.sub("", cells[0]) if cells else ""
    letters = sum(character.isalpha() for character in first)
    return letters > 1 and (not first[:1].isdigit() or (len(cells) < 3 and letters > 3))


def _is_remark(line: str, delimiter: str) -> bool:
    """Return whether a line has a time and words but too few cells for a candle, as dividends between candles have."""
    cells = [cell for cell in split(line, delimiter) if cell.strip()]
    return len(cells) <= len(PRICES) and any(_WORD.search(_MONTH.sub("", cell)) for cell in cells[1:])


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
