"""A file's cells before their roles are decided, and the limits that hold for all kinds of files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kronos_app.data.draft import Finding
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

MOST_COLUMNS = 1000
Selection = Callable[[Sequence[str]], Collection[int]]
"""Returns the positions of the columns to load, from all headers."""


@dataclass(frozen=True)
class Table:
    """Columns of a file."""

    name: str  # of the file, safe to show
    headers: tuple[str, ...]  # labels of all columns, each different, in the order of the file
    cells: Mapping[int, pa.ChunkedArray]  # the loaded columns by position
    rows: NDArray[np.int64]  # the file row of each line, 1-based
    delimiter: str = ""  # of a text file
    named: bool = True  # False for a file without a header row, of which only stated columns can be read
    fields: tuple[str, ...] = ()  # names to infer roles from, by default the headers; empty for other instruments
    tickers: tuple[str, ...] = ()  # of the columns, where a row of the header names them
    symbol: str | None = None  # the instrument of a table that was split by columns
    several: bool = False  # whether it was split into several tables
    unreadable: Mapping[int, str] = field(default_factory=dict)  # types that are no number, time or short text
    findings: tuple[Finding, ...] = ()  # remarks on lines and columns that were left out

    def __post_init__(self) -> None:
        if not self.fields:
            object.__setattr__(self, "fields", self.headers)

    def position(self, header: str) -> int:
        """Return the position of a column."""
        return self.headers.index(header)

    def without_lines(self, notes: NDArray[np.bool_]) -> Table:
        """Return the table without the lines that are notes, and a finding about them."""
        rows = [
            (int(self.rows[line]), ", ".join(filter(None, (text_at(self.cells[p], line) for p in sorted(self.cells)))))
            for line in map(int, np.flatnonzero(notes))
        ]
        cells = {position: column.filter(pa.array(~notes)) for position, column in self.cells.items()}
        return replace(self, cells=cells, rows=self.rows[~notes], findings=(*self.findings, *left_out(rows)))


def check_columns(count: int, name: str) -> None:
    """Raise where there are more columns than any table of candles has."""
    if count > MOST_COLUMNS:
        raise InvalidInput(
            "too_many_columns",
            text("“{name}” has more than {count} columns.", name=name, count=MOST_COLUMNS),
            text("Keep the columns timestamp, open, high, low, close, volume and amount."),
        )


def check_rows(count: int, most: int, name: str) -> None:
    """Raise where there are more rows than the limit, or none."""
    if count > most:
        message = text("“{name}” has {count} rows, more than the limit of {most}.", name=name, count=count, most=most)
        raise TooLarge("too_many_rows", message, text("Upload a shorter range or a longer interval."))
    if not count:
        raise no_rows(name)


def too_large(name: str, limit: int) -> TooLarge:
    """Return the error for a file that takes more bytes than the limit once it is expanded."""
    return TooLarge(
        "file_too_large",
        text("“{name}” is larger than {limit} MB after decompression.", name=name, limit=limit // 1_000_000),
        text("Upload fewer candles."),
    )


def no_rows(name: str) -> InvalidInput:
    """Return the error for a table without candles."""
    return InvalidInput(
        "no_rows",
        text("“{name}” has a header but no candles.", name=name),
        text("Choose a file with at least one candle."),
    )


def left_out(notes: Sequence[tuple[int, str]]) -> tuple[Finding, ...]:
    """Return the finding about lines that were left out because they are notes, each with its row and text."""
    if not notes:
        return ()
    message = text(
        "{count} line(s) that are no candles were left out; row {row} says “{value}”.",
        count=len(notes), row=notes[0][0], value=shorten(notes[0][1], 60),
    )  # fmt: skip
    return (Finding("notes", "info", message, tuple(row for row, _ in notes[:5])),)


def text_at(cells: pa.ChunkedArray, line: int) -> str:
    """Return a cell as text, empty where there is none; also a time that Python's own types cannot hold."""
    cell = cells[line]
    try:
        value = cell.as_py()
    except (OverflowError, ValueError, KeyError, pa.ArrowException):
        return str(cell.value if hasattr(cell, "value") else "")
    return "" if value is None else str(value)
