"""A small Yahoo Finance on this machine: the chart, search, cookie, consent and crumb addresses that yfinance asks.

Every series is a random walk that depends on symbol and time alone, so two requests agree where they overlap. `fault`
makes the chart and the search misbehave; `shift` moves the server's clock.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from zlib import crc32

import numpy as np
import pandas as pd

from tests.servers.local import LocalServer, run_server

COOKIE = "A3=d=AQABBLocal&S=AQAAAlocal"
CRUMB = "lOcAl.cRuMb"
REACH = {"1m": 30, "2m": 60, "5m": 60, "15m": 60, "30m": 60, "90m": 60, "1h": 730, "60m": 730}
STEPS = {"1d": "D", "5d": "5D", "1wk": "W-MON", "1mo": "MS", "3mo": "QS"}
SPOILED = ("null rows", "repeated rows", "unsorted rows")
FAULTS = ("429", "403", "500", "503", "hang", "cut", "reset", "malformed", "not a chart", "empty", *SPOILED)


@dataclass(frozen=True)
class Listing:
    """An instrument: what a search shows of it, and when it trades."""

    symbol: str
    name: str
    exchange: str
    zone: str = "America/New_York"
    currency: str = "USD"
    opens: time = time(9, 30)
    hours: float = 6.5
    price: float = 100.0
    volume: bool = True
    kind: str = "EQUITY"
    first: datetime = datetime(1980, 12, 12, tzinfo=UTC)
    last: datetime | None = None  # traded until then; known, but without candles since


LISTINGS = (
    Listing("AAPL", "Apple Inc.", "NASDAQ"),
    Listing("MSFT", "Microsoft Corporation", "NASDAQ"),
    Listing("APLE", "Apple Hospitality REIT, Inc.", "NYSE"),
    Listing("0700.HK", "Tencent Holdings Limited", "HKSE", "Asia/Hong_Kong", "HKD"),
    Listing("9988.HK", "Alibaba Group Holding Limited", "HKSE", "Asia/Hong_Kong", "HKD"),
    Listing("EURUSD=X", "EUR/USD", "CCY", "Europe/London", "USD", time(0), 24, 1.1, False, "CURRENCY"),
    Listing("BTC-USD", "Bitcoin USD", "CCC", "UTC", "USD", time(0), 24, 60_000, True, "CRYPTOCURRENCY"),
    Listing("^GSPC", "S&P 500", "SNP", kind="INDEX", price=5000),
    Listing("QUIET", "Quiet Company", "NYSE", last=datetime(2015, 6, 1, tzinfo=UTC)),
)


@dataclass
class Yahoo:
    """What the server knows, how it misbehaves, and what it was asked."""

    listings: dict[str, Listing] = field(default_factory=lambda: {one.symbol: one for one in LISTINGS})
    fault: str | None = None
    fails: int | None = None  # how many answers the fault spoils; None for all
    cookies: bool = True  # else the addresses for cookie, consent and crumb hang
    shift: timedelta = timedelta(0)
    at: datetime | None = None  # where the clock stands; None for a running one
    released: threading.Event = field(default_factory=threading.Event)  # ends hanging answers
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def now(self) -> datetime:
        return (self.at or datetime.now(UTC)).astimezone(UTC) + self.shift

    def asked(self, beginning: str) -> list[dict[str, str]]:
        return [params for path, params in self.requests if path.startswith(beginning)]

    def take_fault(self) -> str | None:
        if self.fault is None or self.fails == 0:
            return None
        if self.fails is not None:
            self.fails -= 1
        return self.fault

    def chart(self, symbol: str, params: dict[str, str], fault: str | None) -> tuple[int, dict]:
        """Return status and body of a chart request."""
        listing = self.listings.get(symbol)
        if listing is None:
            return 404, _error("Not Found", "No data found, symbol may be delisted")
        interval = params["interval"]
        start, end = (datetime.fromtimestamp(int(params[key]), UTC) for key in ("period1", "period2"))
        refusal = self._refuse(interval, start, end)
        if refusal:
            return 422, _error("Unprocessable Entity", refusal)
        end = min(end, self.now(), listing.last or end)
        table = _candles(listing, interval, max(start, listing.first), end)
        if fault == "empty" or table.empty:
            return 200, {"chart": {"result": [self._without_rows(listing, interval)], "error": None}}
        result = self._without_rows(listing, interval)
        if fault == "null rows":
            table.iloc[2:5] = np.nan
        rows = np.arange(len(table))
        if fault == "repeated rows":
            rows = np.sort(np.r_[rows, rows[3:6]])
        if fault == "unsorted rows":
            rows = rows[::-1]
        table = table.iloc[rows]
        result["timestamp"] = [int(moment.timestamp()) for moment in table.index]
        numbers = {name: [None if np.isnan(v) else v for v in table[name]] for name in table}
        adjusted = numbers.pop("adjclose")
        result["indicators"] = {"quote": [numbers]}
        if interval in STEPS:
            result["indicators"]["adjclose"] = [{"adjclose": adjusted}]
        return 200, {"chart": {"result": [result], "error": None}}

    def _refuse(self, interval: str, start: datetime, end: datetime) -> str | None:
        reach = REACH.get(interval)
        if reach is None:
            return None
        span = (
            f"{interval} data not available for startTime={int(start.timestamp())} and endTime={int(end.timestamp())}."
        )
        if interval == "1m" and end - start > timedelta(days=8):
            return f"{span} Only 8 days worth of 1m granularity data are allowed to be fetched per request."
        if start < self.now() - timedelta(days=reach):
            return f"{span} The requested range must be within the last {reach} days."
        return None

    def _without_rows(self, listing: Listing, interval: str) -> dict:
        begin, length = _sessions(listing, self.now() - timedelta(days=70), self.now() + timedelta(days=4))
        periods = [
            {"timezone": "X", "start": int(a.timestamp()), "end": int(b.timestamp()), "gmtoffset": 0}
            for a, b in zip(begin, begin + length, strict=True)
        ]
        begun = [period for period in periods if period["start"] <= self.now().timestamp()]
        meta = {
            "currency": listing.currency, "symbol": listing.symbol, "exchangeName": listing.exchange,
            "fullExchangeName": listing.exchange, "instrumentType": listing.kind, "longName": listing.name,
            "firstTradeDate": int(listing.first.timestamp()), "regularMarketTime": int(self.now().timestamp()),
            "gmtoffset": 0, "timezone": "X", "exchangeTimezoneName": listing.zone, "priceHint": 2,
            "currentTradingPeriod": {"regular": dict(begun[-1])}, "dataGranularity": interval, "range": "",
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }  # fmt: skip
        if interval not in STEPS:
            meta["tradingPeriods"] = [[period] for period in periods]
        return {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}

    def find(self, query: str, limit: int) -> dict:
        """Return the body of a search."""
        words = query.casefold()
        found = [one for one in self.listings.values() if words in f"{one.symbol} {one.name}".casefold()]
        quotes = [
            {
                "symbol": one.symbol, "shortname": one.name, "longname": one.name, "exchange": one.exchange,
                "exchDisp": one.exchange, "quoteType": one.kind, "typeDisp": one.kind.title(), "score": 1.0,
                "isYahooFinance": True, "index": "quotes",
            }
            for one in found[:limit]
        ]  # fmt: skip
        # Yahoo mixes in private companies, which have no symbol.
        return {"count": len(quotes), "quotes": [*quotes, {"index": "x", "name": "Private"}], "news": [], "lists": []}


def _sessions(listing: Listing, start: datetime, end: datetime) -> tuple[pd.DatetimeIndex, pd.Timedelta]:
    """Return when the sessions of a range begin, in UTC, and how long each is."""
    zone = listing.zone
    days = pd.date_range(pd.Timestamp(start).tz_convert(zone).date(), pd.Timestamp(end).tz_convert(zone).date())
    if listing.kind != "CRYPTOCURRENCY":
        days = days[days.day_of_week < 5]
    opens = pd.Timedelta(hours=listing.opens.hour, minutes=listing.opens.minute)
    # Sessions around the clock are stated to 23:59.
    length = pd.Timedelta(hours=listing.hours) - pd.Timedelta(minutes=int(listing.hours == 24))
    return (days.as_unit("s") + opens).tz_localize(zone).tz_convert("UTC"), length


def _times(listing: Listing, interval: str, start: datetime, end: datetime) -> pd.DatetimeIndex:
    begin, length = _sessions(listing, start, end)
    if interval in {"5d", "1wk", "1mo", "3mo"}:
        midnights = pd.date_range(start.date(), end.date(), freq=STEPS[interval])
        begin = midnights.tz_localize(listing.zone).tz_convert("UTC")
    elif interval != "1d":
        steps = np.arange(np.timedelta64(0, "s"), length, pd.Timedelta(interval.replace("m", "min")))
        begin = pd.DatetimeIndex((begin.to_numpy("datetime64[s]")[:, None] + steps).ravel(), tz="UTC")
    return begin[(begin >= start) & (begin < end)]


def _candles(listing: Listing, interval: str, start: datetime, end: datetime) -> pd.DataFrame:
    """Return candles of a walk that is a function of time, so that every range shows the same one."""
    times = _times(listing, interval, start, end)
    rng_walk = np.random.default_rng(crc32(listing.symbol.encode()))
    waves = [(rng_walk.uniform(0.005, 0.05), 10 ** rng_walk.uniform(2.5, 7), rng_walk.uniform(0, 6)) for _ in range(12)]
    # Of a week or month the walk of its first day must do.
    step = 86400.0 if interval in STEPS else pd.Timedelta(interval.replace("m", "min")).total_seconds()

    def price(seconds: np.ndarray) -> np.ndarray:
        return listing.price * np.exp(sum(size * np.sin(seconds / length + at) for size, length, at in waves))

    seconds = times.asi8 // 10 ** {"s": 0, "ms": 3, "us": 6, "ns": 9}[times.unit]
    opened, closed = price(seconds * 1.0), price(seconds + step)
    wick = 0.0005 * (1 + (seconds // 60 * 2654435761 % 1000) / 250)
    volume = np.round(1e5 * (1 + seconds // 60 * 40503 % 977 / 100)) * listing.volume
    return pd.DataFrame(
        {
            "open": opened, "high": np.maximum(opened, closed) * (1 + wick),
            "low": np.minimum(opened, closed) * (1 - wick), "close": closed, "volume": volume,
            "adjclose": closed * 0.9,
        },
        index=times,
    )  # fmt: skip


def _error(code: str, description: str) -> dict:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LocalServer

    def do_GET(self) -> None:
        self._read_body()  # copyConsent comes with one
        yahoo = self.server.state
        address = urlsplit(self.path)
        path = unquote(address.path)
        params = {name: values[-1] for name, values in parse_qs(address.query).items()}
        yahoo.requests.append((path, params))
        if path.startswith("/v8/finance/chart/"):
            self._data(lambda fault: yahoo.chart(path.rpartition("/")[2], params, fault))
        elif path == "/v1/finance/search":
            self._data(lambda fault: (200, yahoo.find(params["q"], int(params["quotesCount"]))))
        elif not yahoo.cookies:
            self._hang()
        elif path == "/v1/test/getcrumb":
            self._send(200, CRUMB.encode(), "text/plain")
        elif path == "/consent":
            form = '<form><input name="csrfToken" value="t"><input name="sessionId" value="s"></form>'
            self._send(200, form.encode(), "text/html")
        elif path in {"/", "/copyConsent"}:  # the real one answers 404, too: what counts is the cookie
            self._send(404, b"", "text/html", cookie=True)
        else:
            self._send(404, b"{}")

    def do_POST(self) -> None:
        self._read_body()
        self.server.state.requests.append((urlsplit(self.path).path, {}))
        self._send(200, b"", "text/html", cookie=True)

    def _read_body(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_request(self, *args: object) -> None:
        pass

    def _data(self, answer) -> None:
        yahoo = self.server.state
        fault = yahoo.take_fault()
        if fault in {"429", "500", "503", "403"}:
            words = {"429": "Too Many Requests\r\n", "403": "Forbidden"}.get(fault, "<html>Internal Error</html>")
            return self._send(int(fault), words.encode(), "text/html")
        if fault == "hang":
            return self._hang()
        if fault == "reset":
            self.close_connection = True
            return None
        if fault == "not a chart":
            return self._send(200, b'{"finance": {"result": []}, "quotes": 7}')
        status, body = answer(fault)
        content = json.dumps(body).encode()
        if fault == "malformed":
            content = content[: len(content) // 2]
        return self._send(status, content, cut=fault == "cut")

    def _hang(self) -> None:
        self.server.state.released.wait(30)
        self.close_connection = True

    def _send(
        self, status: int, content: bytes, kind: str = "application/json", *, cookie: bool = False, cut: bool = False
    ) -> None:
        self.send_response_only(status)
        self.send_header("Date", format_datetime(self.server.state.now(), usegmt=True))
        self.send_header("Content-Type", f"{kind};charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", f"{COOKIE}; Max-Age=31557600; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut


@contextmanager
def serve(yahoo: Yahoo | None = None) -> Iterator[Yahoo]:
    """Serve on a free port; at the end nobody hangs or answers there any more."""
    yahoo = yahoo or Yahoo()
    with run_server(LocalServer(_Handler, yahoo), yahoo.released) as server:
        yahoo.url = server.url
        yield yahoo
