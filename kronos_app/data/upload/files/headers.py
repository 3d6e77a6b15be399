"""Where a text has its header: delimiter, line, names, and the tickers of a header of several rows."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.upload.columns import ALIASES, choose_times, plain, recognised
from kronos_app.data.upload.files.table import MOST_COLUMNS
from kronos_app.data.upload.units import is_measure

DELIMITERS = (",", ";", "\t", "|")
HEADER_LINES = 30  # a header may follow a title or a remark
_VALUE = re.compile(r"[-+]?[\d.,:/ TZ-]+")
_LEVELS = frozenset({"", "price", "attributes", "field", "fields", "ohlcv", "level0", "level1"})
"""What pandas writes in front of the names of columns that have several levels."""


@dataclass(frozen=True)
class Header:
    """A text's header."""

    delimiter: str  # between cells
    line: int  # 1-based, the last one of several; 0 if there is no header
    names: tuple[str, ...]  # of the columns, empty where a column has none
    tickers: tuple[str, ...]  # of the columns, empty where a column has none


def find_header(content: bytes) -> Header:
    """Return where the names of the columns are; line 0 and empty names where the first line holds values."""
    head = [line.strip("\r") for line in content[:200_000].decode("utf-8", errors="ignore").split("\n")[:HEADER_LINES]]
    rows = [(number, mark, split(line, mark)) for number, line in enumerate(head, start=1) for mark in DELIMITERS]
    counts = [recognised(names[: MOST_COLUMNS + 1]) for _, _, names in rows]  # wider tables are refused
    if max(counts) >= 2:
        number, delimiter, names = rows[counts.index(max(counts))]
    else:
        number, delimiter, names = _first_line(head)
    return _fitted(_with_tickers(Header(delimiter, number, tuple(names), ("",) * len(names)), head), head)


def _first_line(head: Sequence[str]) -> tuple[int, str, list[str]]:
    """Return the first line as the header, as line 0 without names where it holds values."""
    number, first = next(((n, line) for n, line in enumerate(head, start=1) if line.strip()), (1, ""))
    delimiter = max(DELIMITERS, key=first.count)
    names = split(first, delimiter)
    if sum(bool(_VALUE.fullmatch(cell.strip())) for cell in names) > len(names) // 2:
        return 0, delimiter, [""] * len(names)
    return number, delimiter, names


def _with_tickers(header: Header, head: Sequence[str]) -> Header:
    """Return a header with the rows that pandas writes around it: one of tickers, and one that names the index."""
    if not header.line:
        return header
    names, tickers, line = list(header.names), header.tickers, header.line
    below = [split(row, header.delimiter) for row in head[line : line + 2]]
    above = split(head[line - 2], header.delimiter) if line > 1 else []
    if below and _are_tickers(below[0], len(names)):
        tickers, line = ("", *below[0][1:]), line + 1
        below = below[1:]
    elif _are_tickers(above, len(names)) and plain(names[0]) in _LEVELS:
        tickers = ("", *above[1:])
    index = below[0] if below and len(below[0]) == len(names) > 0 else [""]
    if plain(index[0]) in ALIASES["timestamp"] and not any(cell.strip() for cell in index[1:]):
        names[0], line = index[0], line + 1
    if any(tickers) and plain(names[0]) in _LEVELS:
        names[0] = ""
    return Header(header.delimiter, line, tuple(names), tuple(cell.strip() for cell in tickers))


def _are_tickers(cells: Sequence[str], count: int) -> bool:
    """Return whether a row names the instrument of each column but the first."""
    if len(cells) != count or count < 3 or not all(cell.strip() for cell in cells[1:]) or recognised(cells[1:]) > 1:
        return False
    if len({cell.strip() for cell in cells[1:]}) > count // len(PRICES):
        return False  # a ticker has four prices: these are labels, such as those that CSMAR writes
    first = plain(cells[0])
    return first in ALIASES["symbol"] or (
        first in _LEVELS and not any(_VALUE.fullmatch(cell.strip()) or is_measure(cell) for cell in cells[1:])
    )


def _fitted(header: Header, head: Sequence[str]) -> Header:
    """Return a header as wide as the lines below it, where only separators or an index without a name differ."""
    rows = [split(line, header.delimiter) for line in head[header.line :] if line.strip(header.delimiter + " \t\"'")]
    widths = [len(row) for row in rows[:-1] or rows]  # the last line may be cut off or a note
    names, tickers = header.names, header.tickers
    if not widths or not header.line or any(len(row) == len(names) for row in rows):
        return header  # where some lines have separators too many, `text_table` takes them away
    width = max(set(widths), key=widths.count)
    surplus = width - len(names)
    typical = [row for row in rows if len(row) >= width]
    if surplus < 0 and not any(name.strip() for name in names[width:]):
        return replace(header, names=names[:width], tickers=tickers[:width])
    if surplus > 0 and not any(cell.strip() for row in typical for cell in row[len(names) :]):
        return replace(header, names=(*names, *[""] * surplus), tickers=(*tickers, *[""] * surplus))
    if surplus == 1 and not choose_times(names):
        return replace(header, names=("", *names), tickers=("", *tickers))
    return header


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of a line; none where its quotes do not match."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []
