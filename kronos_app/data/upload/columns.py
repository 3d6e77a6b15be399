"""Which column of a file is which, by the names that data vendors use in English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from kronos_app.data.candle_frame import PRICES
from kronos_app.data.upload import time_columns
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

ALIASES: dict[str, tuple[str, ...]] = {
    "timestamp": time_columns.NAMES,
    "open": ("open", "openprice", "o", "开盘", "开盘价", "今开", "今开盘"),
    "high": ("high", "highprice", "h", "最高", "最高价"),
    "low": ("low", "lowprice", "l", "最低", "最低价"),
    "close": ("close", "closeprice", "c", "closelast", "收盘", "收盘价"),
    "volume": ("volume", "vol", "v", "成交量", "总手", "tickvol", "tickvolume"),
    "amount": ("amount", "turnover", "amt", "成交额", "成交金额", "money", "quotevolume", "quoteassetvolume"),
    # Earlier names win: codes before names for people.
    "symbol": (
        "symbol", "symbols", "ticker", "tickers", "tscode", "code", "股票代码", "证券代码", "基金代码", "合约代码",
        "标的代码", "代码", "instrument", "orderbookid", "secid", "sid", "ric", "isin", "stockcode", "asset",
        "contract", "pair", "交易对", "合约", "标的", "品种",
        "name", "stockname", "股票名称", "股票简称", "证券简称", "名称",
    ),
}  # fmt: skip
UNNAMED = ("", "index", "unnamed0", "indexlevel0")
_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in aliases}


@dataclass(frozen=True)
class ColumnMap:
    """Positions of the columns in use: canonical name to index, `clock` a separate time of day, `unused` headers."""

    positions: dict[str, int]
    clock: int | None
    unused: tuple[str, ...]


def plain(header: str) -> str:
    """Return a header reduced to what tells columns apart: `" <Open Price> "` and `open_price` are both `openprice`."""
    name = unicodedata.normalize("NFKC", header).casefold().strip("\ufeff \t\"'<>")
    name = re.sub(r"^\d+[a-z]?\.\s+", "", name)  # "1. open"
    name = re.sub(r"[(\[（].*$", "", name)  # units: 成交量(手)
    return re.sub(r"[\s_\-./:]+", "", name)


def recognised(headers: Sequence[str]) -> int:
    """Return how many different columns these headers name; used to find the header row, delimiter and encoding."""
    return len({_CANONICAL[plain(h)] for h in headers if plain(h) in _CANONICAL})


def find_columns(headers: Sequence[str], name: str) -> ColumnMap:
    """Return which header is which column.

    Raises
    ------
    InvalidInput
        If open, high, low or close is missing or there twice; the message names it and the columns found.
    """
    names = [plain(header) for header in headers]
    found: dict[str, list[int]] = {}
    for position, column in enumerate(names):
        if column in _CANONICAL:
            found.setdefault(_CANONICAL[column], []).append(position)
    missing = [price for price in PRICES if price not in found]
    if missing:
        raise InvalidInput(
            "missing_columns",
            text(
                "“{name}” lacks the column(s) {missing}; its columns are: {found}.",
                name=name, missing=", ".join(missing), found=shorten_list(headers),
            ),
            text("The first row must name the columns timestamp, open, high, low, close and perhaps volume, amount."),
        )  # fmt: skip
    for column, where in found.items():
        if len(where) > 1 and column not in {"timestamp", "symbol"}:
            raise InvalidInput(
                "repeated_column",
                text(
                    "“{name}” has {count} columns for {column}: {found}.",
                    name=name, count=len(where), column=column, found=shorten_list([headers[p] for p in where]),
                ),
                text("Keep one of them, or rename the others."),
            )  # fmt: skip
    times = time_columns.choose(names)
    found.pop("timestamp", None)
    symbols = sorted(found.pop("symbol", []), key=lambda p: ALIASES["symbol"].index(names[p]))
    positions = {column: places[0] for column, places in found.items()} | ({"symbol": symbols[0]} if symbols else {})
    clock = None if times is None else times.clock
    if times is not None:
        positions["timestamp"] = times.time
    elif "indexlevel0" in names or names[0] in UNNAMED:  # the index of a data frame
        positions["timestamp"] = names.index("indexlevel0") if "indexlevel0" in names else 0
    used = {*positions.values(), *(() if clock is None else (clock,))}
    unused = tuple(shorten(h) for p, h in enumerate(headers) if p not in used and h.strip())
    return ColumnMap(positions, clock, unused)


def shorten(value: str, length: int = 40) -> str:
    """Return text from a file fit to be shown: no control characters, on one line, at most `length` long."""
    clean = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in value[: 4 * length]).strip()
    return clean if len(clean) <= length else clean[: length - 1] + "…"


def shorten_list(values: Sequence[str], count: int = 20) -> str:
    """Return the first values as one line of text."""
    shown = ", ".join(f"“{shorten(value)}”" for value in values[:count])
    return shown + (", …" if len(values) > count else "")
