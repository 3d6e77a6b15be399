"""Small exchanges on this machine: what of the REST of Binance, Kraken and Coinbase a client needs to fetch candles.

Candles are a function of market and time, so that two servers, or one asked twice, tell the same. A fault is set on the
server while it runs:

    429, 418, 403, 451, 500, 503   answers with this status
    hang                           answers after `hang` seconds
    cut                            breaks the connection in the middle of the answer
    malformed                      breaks the JSON off
    html                           answers with a page, as a login page of a network does
    descending                     sends the candles of a page in the wrong order
    overlap                        sends candles again that were before the start of the page
    duplicates                     sends every candle of a page twice
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.servers.local import LocalServer, run_server

DAY = 86_400
STATUSES = {"429": "Too Many Requests", "418": "I'm a teapot", "403": "Forbidden", "451": "Unavailable"}
BINANCE_LENGTHS = {"1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 4 * 3600, "1d": DAY, "1w": 7 * DAY}
KRAKEN_LAST = 720
COINBASE_LENGTHS = {"ONE_MINUTE": 60, "FIVE_MINUTE": 300, "ONE_HOUR": 3600, "ONE_DAY": DAY}
COINBASE_MOST = 350
OVERLAP = 100


@dataclass
class Market:
    """A market and when it began to be traded, or stopped, in seconds since 1970."""

    base: str
    quote: str
    kind: str = "spot"
    listed: int = 1_690_000_000 // DAY * DAY
    delisted: int | None = None
    gaps: tuple[tuple[int, int], ...] = ()  # without candles from the one time until before the other
    price: float = 100.0

    @property
    def id(self) -> str:
        return self.base + self.quote


@dataclass
class Exchange:
    """What the server trades, how it misbehaves, and what it was asked."""

    markets: list[Market] = field(
        default_factory=lambda: [
            Market("BTC", "USDT", price=40_000.0),
            Market("ETH", "USDT", price=2_500.0),
            Market("ETH", "BTC", price=0.06),
            Market("LUNA", "USDT", listed=1_690_000_000 // DAY * DAY, delisted=1_700_000_000 // DAY * DAY),
            Market("BTC", "USDT", "swap", price=40_010.0),
        ]
    )
    fault: str | None = None
    fault_on: str = ""  # only requests whose path has this in it
    fault_times: int | None = None  # so many requests, then all is well again
    hang: float = 5.0
    retry_after: str | None = None
    now: float | None = None  # seconds since 1970; None for this machine's clock
    clock_offset: float = 0.0  # seconds that the exchange's clock is ahead
    window_only: bool = False  # a page covers its own length of time only, as on exchanges that compute an end
    ahead: tuple[int, ...] = ()  # seconds from now at which every page has one more candle: future-dated, or running
    kept: dict[int, int] = field(default_factory=dict)  # candles kept by length in seconds, fewer than there were
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)  # path, query, headers
    url: str = ""
    closing: Event = field(default_factory=Event)

    def time(self) -> float:
        return (time.time() if self.now is None else self.now) + self.clock_offset

    def asked(self, part: str) -> list[dict[str, str]]:
        """Return the queries of the requests whose path has `part` in it."""
        return [query for path, query, _ in self.requests if part in path]

    def market(self, name: str, kind: str = "spot") -> Market | None:
        return next((market for market in self.markets if market.id == name and market.kind == kind), None)

    def failing(self, path: str) -> str | None:
        """Return the fault that a request to this path meets."""
        if self.fault is None or self.fault_on not in path or self.fault_times == 0:
            return None
        if self.fault_times is not None:
            self.fault_times -= 1
        return self.fault

    def opens(self, market: Market, length: int, since: int, limit: int) -> list[int]:
        """Return when the first candles from `since` on opened, the running one included."""
        end = min(self.time(), market.delisted or math.inf)
        if self.window_only:
            end = min(end, since + limit * length)
        begin = max(since, market.listed // length * length)
        if length in self.kept:
            begin = max(begin, int(self.time()) - self.kept[length] * length)
        found: list[int] = []
        moment = -(-begin // length) * length
        while moment < end and len(found) < limit:
            shut = next((stop for start, stop in market.gaps if start <= moment and moment + length <= stop), None)
            if shut is None:
                found.append(moment)
                moment += length
            else:
                moment = shut // length * length
        return found + [int(self.time() + seconds) // length * length for seconds in self.ahead]


def candle(market: Market, opened: int, length: int) -> list[str]:
    """Return open, high, low, close and volume as exchanges write them."""

    def price(moment: int) -> float:
        wave = math.sin(moment / 7_000) + 0.3 * math.sin(moment / 500) + 2 * math.sin(moment / 900_000)
        return market.price * (1 + 0.02 * wave)

    first, last = price(opened), price(opened + length)
    values = (first, max(first, last) * 1.001, min(first, last) * 0.999, last, 10 + opened // length % 97)
    return [f"{value:.8f}" for value in values]


def binance_answer(exchange: Exchange, path: str, query: dict[str, str], fault: str | None) -> tuple[int, Any]:
    kind = "swap" if path.startswith("/fapi/") else "spot"
    if path.endswith("/time"):
        return 200, {"serverTime": int(exchange.time() * 1000)}
    if path.endswith("/exchangeInfo"):
        found = [_binance_market(exchange, market) for market in exchange.markets if market.kind == kind]
        return 200, {"timezone": "UTC", "serverTime": int(exchange.time() * 1000), "rateLimits": [], "symbols": found}
    if not path.endswith("/klines"):
        return 404, {"code": -1, "msg": "no such path"}
    market = exchange.market(query.get("symbol", ""), kind)
    if market is None:
        return 400, {"code": -1121, "msg": "Invalid symbol."}
    if query.get("interval") not in BINANCE_LENGTHS:
        return 400, {"code": -1120, "msg": "Invalid interval."}
    length, limit = BINANCE_LENGTHS[query["interval"]], min(int(query.get("limit", 500)), 1000)
    since = -(-int(query["startTime"]) // 1000) if "startTime" in query else int(exchange.time()) - limit * length
    if fault == "overlap":
        since -= OVERLAP * length
    rows = [
        [opened * 1000, *candle(market, opened, length), (opened + length) * 1000 - 1, "0", 10, "0", "0", "0"]
        for opened in exchange.opens(market, length, since, limit)
    ]
    if fault == "duplicates":
        rows = [row for row in rows for _ in range(2)]
    return 200, rows[::-1] if fault == "descending" else rows


def _binance_market(exchange: Exchange, market: Market) -> dict[str, Any]:
    traded = market.delisted is None or exchange.time() < market.delisted
    found: dict[str, Any] = {
        "symbol": market.id, "status": "TRADING" if traded else "BREAK", "baseAsset": market.base,
        "quoteAsset": market.quote, "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": ["LIMIT"],
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "permissions": [],
        "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"}],
    }  # fmt: skip
    if market.kind == "swap":
        found |= {"contractType": "PERPETUAL", "deliveryDate": 4133404800000, "marginAsset": market.quote}
    return found


def kraken_answer(exchange: Exchange, path: str, query: dict[str, str], fault: str | None) -> tuple[int, Any]:
    if path.endswith("/Time"):
        return 200, {"error": [], "result": {"unixtime": int(exchange.time())}}
    spot = [market for market in exchange.markets if market.kind == "spot"]
    if path.endswith("/Assets"):
        names = {name for market in spot for name in (market.base, market.quote)}
        assets = {
            name: {"aclass": "currency", "altname": name, "decimals": 10, "display_decimals": 5, "status": "enabled"}
            for name in sorted(names)
        }
        return 200, {"error": [], "result": assets}
    if path.endswith("/AssetPairs"):
        pairs = {
            market.id: {
                "altname": market.id, "wsname": f"{market.base}/{market.quote}", "base": market.base,
                "quote": market.quote, "pair_decimals": 5, "lot_decimals": 8, "leverage_buy": [], "fees": [[0, 0.26]],
                "fees_maker": [[0, 0.16]], "ordermin": "0.01", "status": "online",
            }
            for market in spot
        }  # fmt: skip
        return 200, {"error": [], "result": pairs}
    if not path.endswith("/OHLC"):
        return 200, {"error": ["EGeneral:Unknown method"]}
    market = exchange.market(query.get("pair", ""))
    if market is None:
        return 200, {"error": ["EQuery:Unknown asset pair"]}
    length = int(query.get("interval", "1")) * 60
    # Kraken has the last candles only, however early the start.
    earliest = int(exchange.time()) - KRAKEN_LAST * length
    since = max(earliest, int(query.get("since", 0)) - (OVERLAP * length if fault == "overlap" else 0))
    rows = []
    for opened in exchange.opens(market, length, since, KRAKEN_LAST):
        *prices, volume = candle(market, opened, length)
        rows.append([opened, *prices, prices[-1], volume, 10])
    last = rows[-1][0] if rows else since
    return 200, {"error": [], "result": {market.id: rows[::-1] if fault == "descending" else rows, "last": last}}


def coinbase_answer(exchange: Exchange, path: str, query: dict[str, str], fault: str | None) -> tuple[int, Any]:
    if path.endswith("/time"):
        return 200, {"data": {"iso": "", "epoch": int(exchange.time())}}
    if path.endswith("/products"):
        spot = [market for market in exchange.markets if market.kind == "spot"]
        return 200, {"products": [_coinbase_product(market) for market in spot], "num_products": len(spot)}
    if not path.endswith("/candles"):
        return 200, {"data": []}
    length = COINBASE_LENGTHS[query["granularity"]]
    start, end = int(query["start"]), int(query["end"])
    if (end - start) // length > COINBASE_MOST:
        return 400, {"error": "INVALID_ARGUMENT", "message": "number of candles requested should be less than 350"}
    market = exchange.market(path.split("/")[-2].replace("-", ""))
    assert market is not None
    rows = [
        dict(
            zip(("open", "high", "low", "close", "volume"), candle(market, opened, length), strict=True),
            start=str(opened),
        )
        for opened in exchange.opens(market, length, start, COINBASE_MOST)
        if opened <= end
    ]
    return 200, {"candles": rows[::-1] if fault is None else rows}


def _coinbase_product(market: Market) -> dict[str, Any]:
    return {
        "product_id": f"{market.base}-{market.quote}", "price": "1", "base_increment": "0.00000001",
        "quote_increment": "0.01", "quote_min_size": "1", "quote_max_size": "1000000", "base_min_size": "0.00000001",
        "base_max_size": "1000", "base_name": market.base, "quote_name": market.quote, "status": "online",
        "base_currency_id": market.base, "quote_currency_id": market.quote, "product_type": "SPOT",
        "trading_disabled": False, "is_disabled": False, "view_only": False,
    }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        exchange = self.server.state
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        exchange.requests.append((parts.path, query, dict(self.headers)))
        fault = exchange.failing(parts.path)
        if fault == "hang":
            exchange.closing.wait(exchange.hang)
        if fault is not None and fault.isdigit():
            return self._send(int(fault), b'{"msg": "no"}' if fault in STATUSES else b"<html>out of order</html>")
        if fault == "html":
            return self._send(200, b"<html>log in</html>", "text/html")
        status, answer = self.server.answer(exchange, parts.path, query, fault)
        body = json.dumps(answer).encode()
        if fault == "malformed":
            body = body[: len(body) // 2]
        return self._send(status, body, cut=fault == "cut")

    def _send(self, status: int, body: bytes, content_type: str = "application/json", *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.server.state.retry_after is not None and status in {418, 429}:
            self.send_header("Retry-After", self.server.state.retry_after)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut

    def log_request(self, *args: object) -> None:
        pass


class _Server(LocalServer):
    def __init__(self, exchange: Exchange, answer: Any) -> None:
        super().__init__(_Handler, exchange)
        self.answer = answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that gave up waiting


@contextmanager
def _serve(answer: Any, exchange: Exchange) -> Iterator[Exchange]:
    with run_server(_Server(exchange, answer), exchange.closing) as server:
        exchange.url = server.url
        yield exchange


def binance(**options: Any) -> Any:
    """Serve spot and linear swaps as Binance does; a context that yields the exchange with its `url`."""
    return _serve(binance_answer, Exchange(**options))


def kraken(**options: Any) -> Any:
    """Serve spot as Kraken does; a context that yields the exchange with its `url`."""
    return _serve(kraken_answer, Exchange(**options))


def coinbase(**options: Any) -> Any:
    """Serve spot as Coinbase does, by windows of time; a context that yields the exchange with its `url`."""
    return _serve(coinbase_answer, Exchange(**options))
