"""Several instruments side by side: columns such as `Close AAPL`, `MSFT_Open` or `('High', 'AAPL')`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Finding
from kronos_app.data.upload.columns import candidates, roles_of, shorten
from kronos_app.data.upload.mapping import ColumnMapping
from kronos_app.data.upload.names import QUOTE_CURRENCIES
from kronos_app.data.upload.table import Table
from kronos_app.errors import TooLarge
from kronos_app.i18n import text

MOST_TICKERS = 300
_SEPARATORS = ("_", " ", ".", "-", "|", ":", "/")
_TUPLE = re.compile(r"^\(\s*['\"]?(?P<first>[^'\"]*)['\"]?\s*,\s*['\"]?(?P<second>[^'\"]*)['\"]?\s*\)$")
Pairs = list[tuple[str, str]]


def split_headers(headers: Sequence[str]) -> Pairs:
    """Return the field and the ticker of each header, the ticker empty where a column belongs to all.

    Headers that name candles of one instrument, or none, come back as they are.
    """
    plain_pairs = [(header, "") for header in headers]
    if all(price in candidates(headers) for price in PRICES):
        return plain_pairs
    styles = [_by_tuple(headers)]
    styles += [_by_separator(headers, mark, first) for mark in _SEPARATORS for first in (True, False)]
    complete = [pairs for pairs in styles if tickers_of(pairs)]
    return max(complete, key=lambda pairs: sum(bool(ticker) for _, ticker in pairs), default=plain_pairs)


def tickers_of(pairs: Pairs) -> list[str]:
    """Return the tickers that have all four prices, in order."""
    roles: dict[str, set[str]] = {}
    for name, ticker in pairs:
        if ticker:
            roles.setdefault(ticker, set()).update(roles_of(name)[:1])
    return [ticker for ticker, known in roles.items() if known.issuperset(PRICES)]


def split(table: Table, stated: ColumnMapping) -> list[Table]:
    """Return one table an instrument; a table of one instrument, or whose prices are stated, comes back whole.

    Raises
    ------
    TooLarge
        There are more instruments than `MOST_TICKERS`.
    """
    if set(stated.columns.values()) & set(PRICES):
        return [replace(table, fields=())]
    pairs = list(zip(table.fields, table.tickers, strict=True)) if table.tickers else split_headers(table.headers)
    tickers = tickers_of(pairs)
    if not tickers:
        return [replace(table, fields=())]
    if len(tickers) > MOST_TICKERS:
        raise TooLarge(
            "too_many_symbols",
            text("“{name}” holds {count} instruments side by side, more than the limit of {most}.", name=table.name,
                 count=len(tickers), most=MOST_TICKERS),
            text("Upload fewer instruments at a time."),
        )  # fmt: skip
    findings = table.findings
    if len(tickers) > 1:
        message = text("One of {count} instruments side by side in “{name}”.", count=len(tickers), name=table.name)
        findings = (*findings, Finding("split_by_symbol", "info", message))
    return [_part(table, pairs, ticker, findings, alone=len(tickers) == 1) for ticker in tickers]


def _part(table: Table, pairs: Pairs, ticker: str, findings: tuple[Finding, ...], *, alone: bool) -> Table:
    """Return a table in which the columns of other tickers have no name."""
    fields = tuple(name if of in ("", ticker) else "" for name, of in pairs)
    symbol = None if alone and ticker.casefold() in QUOTE_CURRENCIES else shorten(ticker)
    return replace(table, fields=fields, symbol=symbol, several=not alone, findings=findings)


def _by_tuple(headers: Sequence[str]) -> Pairs:
    """Split what pandas makes of two levels of columns, in either order."""
    matches = [_TUPLE.match(header) for header in headers]
    for name, ticker in (("first", "second"), ("second", "first")):
        pairs = [
            (m[name] or m[ticker], m[ticker] if m[name] else "") if m else (header, "")
            for m, header in zip(matches, headers, strict=True)
        ]
        if tickers_of(pairs):
            return pairs
    return [(header, "") for header in headers]


def _by_separator(headers: Sequence[str], mark: str, field_first: bool) -> Pairs:
    """Split headers at the mark behind, or in front of, the longest name of a column."""
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
