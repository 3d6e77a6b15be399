"""Several instruments side by side: columns such as `Close AAPL`, `MSFT_Open` or `('High', 'AAPL')`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload.columns import candidates, is_quote_currency, roles_of, shorten
from kronos_app.data.upload.files.table import Table
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.errors import TooLarge
from kronos_app.i18n import text

MOST_TICKERS = 300
_SEPARATORS = ("_", " ", ".", "-", "|", ":", "/")
_TUPLE = re.compile(r"^\(\s*['\"]?(?P<first>[^'\"]*)['\"]?\s*,\s*['\"]?(?P<second>[^'\"]*)['\"]?\s*\)$")
Pairs = list[tuple[str, str]]
"""Of each header the field and the ticker, which is empty where a column belongs to all."""


def split_headers(headers: Sequence[str]) -> Pairs:
    """Return fields and tickers; headers that name candles of one instrument, or none, without tickers."""
    whole = [(header, "") for header in headers]
    if candidates(headers).keys() >= set(PRICES):
        return whole
    styles = [_by_tuple(headers, "first", "second"), _by_tuple(headers, "second", "first")]
    styles += [_by_separator(headers, mark, first) for mark in _SEPARATORS for first in (True, False)]
    complete = [pairs for pairs in styles if tickers_of(pairs)]
    return max(complete, key=lambda pairs: sum(bool(ticker) for _, ticker in pairs), default=whole)


def tickers_of(pairs: Pairs) -> list[str]:
    """Return the tickers that have all four prices, in order."""
    roles: dict[str, set[str]] = {}
    for name, ticker in pairs:
        if ticker:
            roles.setdefault(ticker, set()).update(roles_of(name)[:1])
    return [ticker for ticker, named in roles.items() if named.issuperset(PRICES)]


def split(table: Table, stated: ColumnMapping) -> list[Table]:
    """Return one table an instrument; a table of one instrument, or whose prices are stated, is returned whole.

    Raises TooLarge: there are more instruments than `MOST_TICKERS`.
    """
    pairs = list(zip(table.fields, table.tickers, strict=True)) if table.tickers else split_headers(table.headers)
    tickers = tickers_of(pairs)
    if set(stated.columns.values()) & set(PRICES) or not tickers:
        return [replace(table, fields=())]
    if len(tickers) > MOST_TICKERS:
        raise TooLarge(
            "too_many_symbols",
            text(
                "“{name}” holds {count} instruments side by side, more than the limit of {most}.",
                name=table.name, count=len(tickers), most=MOST_TICKERS,
            ),
            text("Upload fewer instruments at a time."),
        )  # fmt: skip
    findings, several = table.findings, len(tickers) > 1
    if several:
        message = text("One of {count} instruments side by side in “{name}”.", count=len(tickers), name=table.name)
        findings = (*findings, Finding("split_by_symbol", "info", message))
    parts = []
    for ticker in tickers:
        fields = tuple(name if of in ("", ticker) else "" for name, of in pairs)
        symbol = shorten(ticker) if several or not is_quote_currency(ticker.casefold()) else None
        parts.append(replace(table, fields=fields, symbol=symbol, several=several, findings=findings))
    return parts


def _by_tuple(headers: Sequence[str], field: str, ticker: str) -> Pairs:
    """Split what pandas makes of two levels of columns."""
    matches = [_TUPLE.match(header) for header in headers]
    return [
        (m[field] or m[ticker], m[ticker] if m[field] else "") if m else (header, "")
        for m, header in zip(matches, headers, strict=True)
    ]


def _by_separator(headers: Sequence[str], mark: str, field_first: bool) -> Pairs:
    """Split headers at the mark after, or before, the longest name of a column."""
    pairs = []
    for header in headers:
        parts = header.split(mark)
        pair = (header, "")
        for place in range(len(parts) - 1, 0, -1) if field_first else range(1, len(parts)):
            left, right = mark.join(parts[:place]).strip(), mark.join(parts[place:]).strip()
            name, ticker = (left, right) if field_first else (right, left)
            if ticker and roles_of(name) and "timestamp" not in roles_of(name):
                pair = (name, ticker)
                break
        pairs.append(pair)
    return pairs
