"""The table of an HTML page, which vendors also name .xls, as text with separators."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

from kronos_app.data.upload.columns import recognised
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

_STARTS = (b"<!doctype html", b"<html", b"<table", b"<head", b"<meta", b"<body", b"<div", b"<style", b"<script")
MOST_MB = 20


def is_html(content: bytes) -> bool:
    """Return whether a text begins as HTML does."""
    return content[:200].lstrip().lower().startswith(_STARTS)


def to_csv(content: bytes, name: str) -> bytes:
    """Return the table with the most known column names as CSV.

    Raises InvalidInput: there is no table of candles on the page, or it is too large.
    """
    parser = _Tables()
    if len(content) <= MOST_MB * 1_000_000:
        parser.feed(content.decode("utf-8", errors="replace"))
        parser.close()
    headers = [max(map(recognised, rows), default=0) for rows in parser.tables]
    if max(headers, default=0) < 4:
        raise InvalidInput(
            "no_candles_in_html",
            text("“{name}” is an HTML page in which no table of candles can be recognised.", name=name),
            text("Download the data itself, or save the table as CSV."),
        )
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(parser.tables[headers.index(max(headers))])
    return out.getvalue().encode("utf-8", errors="replace")


class _Tables(HTMLParser):
    """Rows of cells of each table; a table inside another is one of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in {"td", "th"} and self.tables and self.tables[-1]:
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th", "tr", "table"} and self._cell is not None and self.tables and self.tables[-1]:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
