"""Crypto exchanges through ccxt: their markets, intervals and candles, as deep as they go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pydantic import SecretStr

from kronos_app.data.about import About
from kronos_app.data.calendars import ALWAYS
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.exchange.client import ExchangeClient
from kronos_app.data.exchange.pages import COLUMNS, Page
from kronos_app.data.exchange.reading import MILLISECOND, MarketReader
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import text

FIRST = datetime(2009, 1, 3, tzinfo=UTC)  # nothing was traded before Bitcoin's first block
CLOCK_TOLERANCE = timedelta(minutes=1)
MARKETS_AGE = 3600.0  # seconds until the list of markets is read again
TRADED = ("spot", "swap")

_UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1),
    "w": timedelta(weeks=1), "M": timedelta(days=30), "y": timedelta(days=365),
}  # fmt: skip
_LENGTHS = {("kraken", "2w"): timedelta(days=15)}  # where ccxt's name for an interval is not what it is
_LAST_ONLY = {"kraken": 720}  # exchanges that answer with so many candles before now and no others
_SHOWN = 5


@cache
def exchange_names() -> tuple[str, ...]:
    """Return ccxt's ids of the exchanges that have candles."""
    import ccxt

    return tuple(name for name in ccxt.exchanges if getattr(ccxt, name)().has.get("fetchOHLCV"))


class ExchangeSource:
    """One crypto exchange. ccxt is imported and the exchange asked when something is wanted of it, not before.

    Parameters
    ----------
    name
        ccxt's id of the exchange, such as `binance`.
    max_rows
        Most candles of one fetch.
    timeout
        Seconds until a request is given up.
    retries, backoff
        How often a request is repeated after a failure of the moment, and the seconds before the first repetition;
        each further wait is twice as long, or as long as the exchange asks.
    pause
        Seconds between requests; None for what the exchange asks for.
    proxies
        Proxy by scheme, such as `{"https": "http://proxy:3128"}`.
    options
        ccxt's options of this exchange, such as `{"fetchMarkets": {"types": ["spot"]}}`.
    credentials
        ccxt's names (`apiKey`, `secret`, ...) to values from the secrets. Candles are public nearly everywhere.
    base_url
        Scheme and host to ask instead of the exchange's own, such as a gateway inside a network.
    clock
        Seconds since 1970 by this machine.
    """

    def __init__(
        self,
        name: str,
        *,
        max_rows: int = 2_000_000,
        timeout: float = 20.0,
        retries: int = 3,
        backoff: float = 1.0,
        pause: float | None = None,
        proxies: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        credentials: Mapping[str, SecretStr] | None = None,
        base_url: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key = name
        self.title = text("Crypto exchange {name}", name=name)
        self._max_rows = max_rows
        self._clock = clock
        self._client = ExchangeClient(
            name, timeout=timeout, retries=retries, backoff=backoff, pause=pause, proxies=proxies, options=options,
            credentials=credentials, base_url=base_url,
        )  # fmt: skip
        self._read_at = -MARKETS_AGE

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.key!r})"

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths there are, the shortest first, each with how far back the exchange has it.

        Raises
        ------
        InvalidInput
            There is no exchange of this name.
        """
        keys = self._client.call(lambda client: list(client.timeframes or {}))
        lengths = {key: self._length(key) for key in keys if re.fullmatch(r"[1-9]\d*[smhdwMy]", key)}
        last = _LAST_ONLY.get(self.key)
        return sorted(
            (Interval(key, length, None if last is None else last * length) for key, length in lengths.items()),
            key=lambda interval: interval.length,
        )

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return spot markets and swaps whose symbol, base or quote matches, the likeliest first.

        Raises
        ------
        InvalidInput
            There is no exchange of this name.
        Unavailable
            Offline, rate limited, refused, or an answer that cannot be read.
        """
        words = re.split(r"[\s/:,-]+", query.strip().upper()[:100])
        if not any(words):
            return []
        markets, exchange = self._client.call(lambda client: (self._markets(client), str(client.name)))
        found = [
            (rank, market.get("active") is False, TRADED.index(market["type"]), len(market["symbol"]), market["symbol"])
            for market in markets.values()
            if market.get("type") in TRADED and (rank := _rank(market, [word for word in words if word])) is not None
        ]
        return [
            Instrument(symbol, f"{markets[symbol]['base']}/{markets[symbol]['quote']} ({TRADED[kind]})", exchange)
            for *_, kind, _, symbol in sorted(found)[:limit]
        ]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return candles in UTC, ascending, without the one that has not ended.

        Raises
        ------
        InvalidInput
            The exchange does not know symbol or interval, or the range holds more candles than one fetch may.
        NotFound
            The exchange has no candle of this market in the range.
        Unavailable
            Offline, rate limited, refused, or an answer that cannot be read.
        """
        interval = self._interval(request.interval)
        symbol, page = self._market(request.symbol)
        now, findings = self._now()
        begin, end = self._range(request, interval, now, findings)
        reader = MarketReader(self._client, symbol, page, on_page)
        rows, incomplete = reader.read(interval, self.intervals(), _ms(begin), _ms(end))
        findings += incomplete
        opens = pd.DatetimeIndex(pd.to_datetime(rows[:, 0].astype("int64"), unit="ms"))
        finished = np.asarray(_ends(opens, interval) <= pd.Timestamp(now.replace(tzinfo=None)))
        if not finished.any():
            raise self._no_candles(symbol, interval, begin, end)
        if not finished.all():
            findings.append(_unfinished(opens[~finished][0]))
        if request.start is not None and opens[0] - interval.length > request.start.astimezone(UTC).replace(
            tzinfo=None
        ):
            findings.append(_begins_later(self._client.call(lambda client: str(client.name)), opens[0]))
        about = About(
            symbol, interval.key, currency=symbol.split(":")[0].partition("/")[2], calendar=ALWAYS, origin=self.key
        )
        return _draft(rows[finished], opens[finished], about, self.key, findings)

    def _length(self, key: str) -> timedelta:
        return _LENGTHS.get((self.key, key), int(key[:-1]) * _UNITS[key[-1]])

    def _interval(self, key: str) -> Interval:
        intervals = {interval.key: interval for interval in self.intervals()}
        if key not in intervals:
            raise InvalidInput(
                "unknown_interval",
                text("{exchange} has no interval “{interval}”.", exchange=self.key, interval=key[:20]),
                text("Its intervals: {intervals}.", intervals=", ".join(intervals)),
            )
        return intervals[key]

    def _markets(self, client: Any) -> dict[str, Any]:
        """Return markets by symbol, read again when the list is old. Called under the client's lock."""
        if time.monotonic() - self._read_at >= MARKETS_AGE:
            markets = client.load_markets(True)
            if not markets:
                raise ValueError("an exchange without markets")
            self._read_at = time.monotonic()
        return dict(client.markets)

    def _market(self, symbol: str) -> tuple[str, int | None]:
        """Return the unified symbol of what a user wrote, and the most candles a page of it has."""
        wanted = symbol.strip()[:60]

        def find(client: Any) -> tuple[str, int | None] | None:
            markets = self._markets(client)
            written = next((form for form in (wanted, wanted.upper()) if form in markets), None)
            by_id = client.markets_by_id.get(wanted) or client.markets_by_id.get(wanted.upper())
            unified = written or (by_id[0]["symbol"] if by_id else None)
            return unified and (unified, client.feature_value(unified, "fetchOHLCV", "limit"))

        found = self._client.call(find)
        if found is None:
            near = ", ".join(instrument.symbol for instrument in self.search(wanted, _SHOWN))
            raise InvalidInput(
                "unknown_symbol",
                text("{exchange} has no market “{symbol}”.", exchange=self.key, symbol=wanted),
                text("Similar: {symbols}.", symbols=near)
                if near
                else text("Search for it: symbols are written BTC/USDT, swaps BTC/USDT:USDT."),
            )
        return found

    def _now(self) -> tuple[datetime, list[Finding]]:
        """Return the time by the exchange's clock, where it tells, and what is to be said about this machine's."""
        theirs = self._client.call(lambda client: client.fetch_time() if client.has["fetchTime"] is True else None)
        ours = datetime.fromtimestamp(self._clock(), UTC)
        if theirs is None:
            return ours, []
        now = datetime.fromtimestamp(theirs / 1000, UTC)
        if abs(now - ours) <= CLOCK_TOLERANCE:
            return now, []
        said = text(
            "The clock of {exchange} is {minutes} minutes from this machine's; the exchange's was used.",
            exchange=self.key,
            minutes=f"{round((now - ours) / timedelta(minutes=1)):+d}",
        )
        return now, [Finding("clock_differs", "warning", said)]

    def _range(
        self, request: FetchRequest, interval: Interval, now: datetime, findings: list[Finding]
    ) -> tuple[datetime, datetime]:
        """Return the range to ask for; what the request leaves open is filled as far as one fetch may go."""
        end = now if request.end is None else min(request.end.astimezone(UTC), now)
        deepest = end - max(timedelta(0), min(self._max_rows * interval.length, end - FIRST))
        if request.start is None:
            if deepest > FIRST:
                said = text("At most {rows} candles are fetched at a time: those before {start} are left out.",
                            rows=self._max_rows, start=_say(deepest))  # fmt: skip
                findings.append(Finding("range_cut", "info", said))
            return deepest, end
        begin = max(FIRST, request.start.astimezone(UTC))
        if begin >= end:
            raise InvalidInput(
                "empty_range",
                text(
                    "The range from {start} to {end} holds no time that has passed.", start=_say(begin), end=_say(end)
                ),
                text("Choose a start before the end, and before now."),
            )
        if begin < deepest:
            raise InvalidInput(
                "range_too_long",
                text("The range holds more than {rows} candles of {interval}, the most of one fetch.",
                     rows=self._max_rows, interval=interval.key),
                text("Start at {start} or later, or choose a longer interval.", start=_say(deepest)),
            )  # fmt: skip
        if interval.reach is not None and end <= now - interval.reach:
            raise InvalidInput(
                "range_too_long",
                text("{exchange} has {interval} candles from {start} on only.",
                     exchange=self.key, interval=interval.key, start=_say(now - interval.reach)),
                text("Choose a later range or a longer interval."),
            )  # fmt: skip
        return begin, end

    def _no_candles(self, symbol: str, interval: Interval, begin: datetime, end: datetime) -> NotFound:
        return NotFound(
            "no_candles",
            text("{exchange} has no finished {interval} candle of {symbol} between {start} and {end}.",
                 exchange=self.key, interval=interval.key, symbol=symbol, start=_say(begin), end=_say(end)),
            text("It was not listed yet or no longer, or nobody traded. Choose another range."),
        )  # fmt: skip


def _rank(market: Mapping[str, Any], words: list[str]) -> int | None:
    """Return how well a market matches, 0 best; None if a word is found nowhere."""
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
    """Return when candles end; months and years are counted by the calendar."""
    number, unit = interval.key[:-1], interval.key[-1]
    if unit in "My":
        return pd.DatetimeIndex(opens + pd.DateOffset(months=int(number) * (1 if unit == "M" else 12)))
    return opens + interval.length


def _unfinished(opened: pd.Timestamp) -> Finding:
    said = text("The candle of {time} has not ended and is left out.", time=f"{opened:%Y-%m-%d %H:%M}")
    return Finding("unfinished_candle", "info", said)


def _begins_later(exchange: str, opened: pd.Timestamp) -> Finding:
    said = text("{exchange} has candles from {start} on.", exchange=exchange, start=f"{opened:%Y-%m-%d %H:%M} UTC")
    return Finding("range_cut", "info", said)


def _draft(rows: Page, opens: pd.DatetimeIndex, about: About, source: str, findings: list[Finding]) -> Draft:
    frame = pd.DataFrame(rows[:, 1:], columns=list(COLUMNS[1:]))
    frame.insert(0, "timestamp", opens.as_unit("ns"))
    if frame["volume"].isna().all():
        del frame["volume"]
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
    columns = {str(name): str(name) for name in frame}
    return Draft(
        frame,
        name=str(about.symbol),
        source=source,
        timezone="UTC",
        columns=columns,
        findings=tuple(findings),
        about=about,
    )


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def _say(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
