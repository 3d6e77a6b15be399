"""Crypto exchanges through ccxt: their markets, intervals and candles."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data import source_messages as messages
from kronos_app.data.about import About
from kronos_app.data.calendars import ALWAYS
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.exchange.client import ExchangeClient
from kronos_app.data.exchange.pages import COLUMNS, Page
from kronos_app.data.exchange.reading import MILLISECOND, MarketReader
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.source_messages import utc
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.settings import ExchangeSettings

FIRST = datetime(2009, 1, 3, tzinfo=UTC)  # Bitcoin's first block: nothing was traded before
CLOCK_TOLERANCE = timedelta(minutes=1)
MARKETS_AGE = 3600.0  # seconds until the list of markets is read again
TRADED = ("spot", "swap")

_UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1), "M": timedelta(days=30), "y": timedelta(days=365),
}  # fmt: skip
_LENGTHS = {("kraken", "2w"): timedelta(days=15)}  # intervals whose length is not what ccxt calls them
_LAST_ONLY = {"kraken": 720}  # exchanges that only return this many of the latest candles
_SHOWN = 5


@cache
def exchange_names() -> tuple[str, ...]:
    """Return ccxt's ids of the exchanges that have candles."""
    import ccxt

    return tuple(name for name in ccxt.exchanges if getattr(ccxt, name)().has.get("fetchOHLCV"))


class ExchangeSource:
    """One crypto exchange by ccxt's id; ccxt is imported and the exchange contacted on first use.

    A fetch returns at most `max_rows` candles; `clock` returns this machine's time in seconds since 1970; `client` are
    the timeout, retries, backoff and pause of `ExchangeClient`.
    """

    def __init__(
        self,
        name: str,
        settings: ExchangeSettings,
        *,
        max_rows: int = 2_000_000,
        clock: Callable[[], float] = time.time,
        **client: Any,
    ) -> None:
        self.key = name
        self.title = text("Crypto exchange {name}", name=name)
        self._max_rows = max_rows
        self._clock = clock
        self._client = ExchangeClient(name, settings, **client)
        self._read_at = -MARKETS_AGE

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths, the shortest first; raise `InvalidInput` for an unknown exchange."""
        keys = self._client.call(lambda client: list(client.timeframes or {}))
        lengths = {key: self._length(key) for key in keys if re.fullmatch(r"[1-9]\d*[smhdwMy]", key)}
        last = _LAST_ONLY.get(self.key)
        return sorted(
            (Interval(key, length, None if last is None else last * length) for key, length in lengths.items()),
            key=lambda interval: interval.length,
        )

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return spot markets and swaps whose symbol, base or quote matches, the likeliest first."""
        words = re.split(r"[\s/:,-]+", query.strip().upper()[:100])
        if not any(words):
            return []
        markets, exchange = self._client.call(lambda client: (self._markets(client), str(client.name)))
        matches = [
            (rank, market.get("active") is False, TRADED.index(market["type"]), len(market["symbol"]), market["symbol"])
            for market in markets.values()
            if market.get("type") in TRADED and (rank := _rank(market, [word for word in words if word])) is not None
        ]
        return [
            Instrument(symbol, f"{markets[symbol]['base']}/{markets[symbol]['quote']} ({TRADED[kind]})", exchange)
            for *_, kind, _, symbol in sorted(matches)[:limit]
        ]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return completed candles in UTC, ascending; errors are those of `CandleSource`."""
        interval = messages.find_interval(self.title, self.intervals(), request.interval)
        symbol, page = self._market(request.symbol)
        now, findings = self._now()
        begin, end = self._range(request, interval, now, findings)
        reader = MarketReader(self._client, symbol, page, on_page)
        rows, incomplete = reader.read(interval, self.intervals(), _ms(begin), _ms(end))
        findings += incomplete
        opens = pd.DatetimeIndex(pd.to_datetime(rows[:, 0].astype("int64"), unit="ms"))
        finished = np.asarray(_ends(opens, interval) <= pd.Timestamp(now.replace(tzinfo=None)))
        if not finished.any():
            raise messages.no_candles(self.title, symbol, interval.key, begin, end)
        if not finished.all():
            findings.append(messages.unfinished_candle(opens[~finished][0]))
        start = None if request.start is None else request.start.astimezone(UTC).replace(tzinfo=None)
        if start is not None and opens[0] - interval.length > start:
            exchange = self._client.call(lambda client: str(client.name))
            findings.append(messages.range_starts_later(exchange, interval.key, opens[0]))
        about = About(
            symbol, interval.key, currency=symbol.split(":")[0].partition("/")[2], calendar=ALWAYS, origin=self.key
        )
        return _draft(rows[finished], opens[finished], about, self.key, findings)

    def _length(self, key: str) -> timedelta:
        return _LENGTHS.get((self.key, key), int(key[:-1]) * _UNITS[key[-1]])

    def _markets(self, client: Any) -> dict[str, Any]:
        """Return markets by symbol, read again when the list is old; called under the client's lock."""
        if time.monotonic() - self._read_at >= MARKETS_AGE:
            markets = client.load_markets(True)
            if not markets:
                raise ValueError("an exchange without markets")
            self._read_at = time.monotonic()
        return dict(client.markets)

    def _market(self, symbol: str) -> tuple[str, int | None]:
        """Return the unified symbol for a user's spelling, and the most candles per page."""
        spelling = symbol.strip()[:60]

        def find(client: Any) -> tuple[str, int | None] | None:
            markets = self._markets(client)
            written = next((form for form in (spelling, spelling.upper()) if form in markets), None)
            by_id = client.markets_by_id.get(spelling) or client.markets_by_id.get(spelling.upper())
            unified = written or (by_id[0]["symbol"] if by_id else None)
            return unified and (unified, client.feature_value(unified, "fetchOHLCV", "limit"))

        market = self._client.call(find)
        if market is None:
            near = ", ".join(instrument.symbol for instrument in self.search(spelling, _SHOWN))
            raise InvalidInput(
                "unknown_symbol",
                text("{source} has no market “{symbol}”.", source=self.title, symbol=spelling),
                text("Similar: {symbols}.", symbols=near)
                if near
                else text("Search for it: symbols are written BTC/USDT, swaps BTC/USDT:USDT."),
            )
        return market

    def _now(self) -> tuple[datetime, list[Finding]]:
        """Return the exchange's time, or this machine's where the exchange has none, and a finding if they differ."""
        theirs = self._client.call(lambda client: client.fetch_time() if client.has["fetchTime"] is True else None)
        ours = datetime.fromtimestamp(self._clock(), UTC)
        now = ours if theirs is None else datetime.fromtimestamp(theirs / 1000, UTC)
        differs = abs(now - ours) > CLOCK_TOLERANCE
        return now, [messages.clock_differs(self.title, now - ours)] if differs else []

    def _range(
        self, request: FetchRequest, interval: Interval, now: datetime, findings: list[Finding]
    ) -> tuple[datetime, datetime]:
        """Return the range to fetch, open ends limited to what one fetch may return."""
        end = now if request.end is None else min(request.end.astimezone(UTC), now)
        deepest = end - max(timedelta(0), min(self._max_rows * interval.length, end - FIRST))
        if request.start is None:
            if deepest > FIRST:
                message = text(
                    "A fetch is limited to {rows} candles: those before {start} are left out.",
                    rows=self._max_rows, start=utc(deepest),
                )  # fmt: skip
                findings.append(Finding("range_cut", "info", message))
            return deepest, end
        begin = max(FIRST, request.start.astimezone(UTC))
        if begin >= end:
            raise messages.empty_range(begin, end)
        if begin < deepest:
            raise InvalidInput(
                "range_too_long",
                text("The range has more than {rows} candles of {interval}, the limit of one fetch.",
                     rows=self._max_rows, interval=interval.key),
                text("Start at {start} or later, or choose a longer interval.", start=utc(deepest)),
            )  # fmt: skip
        if interval.reach is not None and end <= now - interval.reach:
            raise InvalidInput(
                "range_too_long",
                messages.range_starts_later(self.title, interval.key, now - interval.reach).message,
                text("Choose a later range or a longer interval."),
            )
        return begin, end


def _rank(market: Mapping[str, Any], words: list[str]) -> int | None:
    """Return how well a market matches, 0 best; None if it lacks a word."""
    base, quote = str(market["base"]).upper(), str(market["quote"]).upper()
    names = (base, quote, str(market["id"]).upper(), base + quote)
    if not all(any(word in name for name in names) for word in words):
        return None
    first = words[0]
    if first == base and words[1:] in ([], [quote], [quote, quote]):
        return 0
    if "".join(words) in names[2:]:
        return 1
    return 2 if base.startswith(first) else 3 if first == quote else 4


def _ends(opens: pd.DatetimeIndex, interval: Interval) -> pd.DatetimeIndex:
    """Return the ends of candles; months and years have their calendar length."""
    number, unit = interval.key[:-1], interval.key[-1]
    if unit in "My":
        return pd.DatetimeIndex(opens + pd.DateOffset(months=int(number) * (1 if unit == "M" else 12)))
    return opens + interval.length


def _draft(rows: Page, opens: pd.DatetimeIndex, about: About, source: str, findings: list[Finding]) -> Draft:
    frame = pd.DataFrame(rows[:, 1:], columns=list(COLUMNS[1:]))
    frame.insert(0, "timestamp", opens.as_unit("ns"))
    if frame["volume"].isna().all():
        del frame["volume"]
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    columns = {str(name): str(name) for name in frame}
    return Draft(
        frame, str(about.symbol), source, timezone="UTC", columns=columns, findings=tuple(findings), about=about
    )


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND
