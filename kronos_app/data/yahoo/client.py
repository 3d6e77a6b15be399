"""A yfinance client with time limits, retries, and a distinct error for each kind of failure."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from kronos_app.data.source_messages import unavailable
from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import text

TITLE = text("Yahoo Finance")
CLOCK_TOLERANCE = timedelta(minutes=5)
RATE_LIMIT_SECONDS = 300  # a usual pause; Yahoo does not state one
_OFFLINE = {5, 6, 7}  # curl: proxy not resolved, host not resolved, no connection
_LATE = 28  # curl: time limit exceeded
_NOT_AGAIN = {"access_denied", "timed_out"}  # a retry does not help, or would take too long
_DATA = ("/v8/finance/chart/", "/v1/finance/search")


@dataclass
class YahooClient:
    """yfinance with separate state per client, time limits, retries, and an error for each kind of failure.

    `offset` is how far Yahoo's clock is ahead of this machine's.
    """

    base_url: str | None
    timeout: float
    retries: int
    backoff: float
    offset: timedelta = timedelta(0)
    _lock: Lock = field(default_factory=Lock, init=False)
    _shared: Any = field(default=None, init=False)

    def now(self) -> datetime:
        """Return the time by Yahoo's clock once an answer has shown it; this machine's clock may be wrong."""
        return datetime.now(UTC) + self.offset

    def search(self, query: str, limit: int) -> list[dict[str, Any]]:
        """Return Yahoo's search results that have a symbol."""
        from yfinance import Search

        client = self

        class UncachedSearch(Search):  # type: ignore[misc]  # yfinance has no types
            """A search with the state of this client, not of the whole process."""

            def search(self) -> Any:
                self._data = _Recorder(client)
                return super().search()

        try:
            search = UncachedSearch(query, max_results=limit, news_count=0, lists_count=0)
            return [quote for quote in search.quotes if quote["symbol"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _malformed() from error

    def chart(
        self, symbol: str, interval: str, start: datetime, end: datetime, adjusted: bool
    ) -> tuple[pd.DataFrame, Mapping[str, Any]]:
        """Return one page of candles, indexed by exchange time, and the raw answer."""
        from yfinance.exceptions import YFPricesMissingError
        from yfinance.scrapers.history import PriceHistory

        recorder = _Recorder(self)
        # Start and end are aware, so yfinance need not look up the zone of the exchange first.
        history = PriceHistory(recorder, symbol, "UTC", self._data()._session)
        try:
            frame = history.history(interval=interval, start=start, end=end, actions=False, auto_adjust=adjusted)
        except YFPricesMissingError as error:
            frame = pd.DataFrame()
            problem = (recorder.body.get("chart") or {}).get("error")
            if problem is not None:
                _raise_for(problem, symbol, interval, error)
        except AppError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _malformed() from error
        return frame, recorder.result

    def get(self, url: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return an answer that is valid JSON, with retries after growing pauses."""
        wait = self.backoff
        for left in range(self.retries, -1, -1):
            try:
                return self._get_once(url, params)
            except Unavailable as error:
                if left == 0 or error.code in _NOT_AGAIN:
                    raise
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last attempt returns or raises")

    def _get_once(self, url: str, params: Mapping[str, Any] | None) -> Any:
        from curl_cffi.requests.exceptions import RequestException
        from yfinance.exceptions import YFRateLimitError

        try:
            answer = self._data().get(url, params, self.timeout)
        except YFRateLimitError as error:
            raise unavailable("rate_limited", TITLE, seconds=RATE_LIMIT_SECONDS) from error
        except RequestException as error:
            code = int(error.code)
            kind = "unreachable" if code in _OFFLINE else "timed_out" if code == _LATE else "connection_cut"
            raise unavailable(kind, TITLE, seconds=f"{self.timeout:g}") from error
        if answer.status_code in {401, 403}:
            raise unavailable("access_denied", TITLE)
        if answer.status_code >= 500 or "Will be right back" in answer.text:
            raise unavailable("source_down", TITLE, detail=f"HTTP {answer.status_code}")
        try:
            answer.json()
        except ValueError as error:
            raise _malformed() from error
        return answer

    def _data(self) -> Any:
        """Return yfinance's client, made on first use: it stores cookie and crumb, and sends the requests."""
        with self._lock:
            if self._shared is None:
                from yfinance import config
                from yfinance.data import YfData

                # yfinance uses deprecated functions of pandas, which users of this program cannot change.
                warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
                config.debug.hide_exceptions = False  # otherwise a failure is logged and returned as an empty answer
                # YfData is a singleton; calling its type directly makes a separate instance for this client.
                self._shared = type.__call__(YfData, self._session())
            return self._shared

    def _session(self) -> Any:
        """Return a browser-like session that enforces the time limit and uses the base URL, if one is set."""
        from curl_cffi.requests import Session

        base, limit, read_clock = self.base_url, self.timeout, self._read_clock

        class BoundSession(Session[Any]):
            """Sends every request of yfinance, also those for cookies, which otherwise have other time limits."""

            def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
                parts = urlsplit(url)
                # Cookies are optional: a request for them that hangs must leave time for the candles.
                seconds = limit if parts.path.startswith(_DATA) else limit / 4
                if base is not None:
                    url = f"{base.rstrip('/')}{parts.path}" + (f"?{parts.query}" if parts.query else "")
                answer = super().request(method, url, *args, **kwargs | {"timeout": seconds})
                read_clock(answer.headers)
                return answer

        return BoundSession(impersonate="chrome")

    def _read_clock(self, headers: Mapping[str, Any]) -> None:
        """Measure the offset of Yahoo's clock from this machine's by the date of an answer."""
        try:
            theirs = parsedate_to_datetime(headers["date"]) + timedelta(seconds=int(headers.get("age", 0)))
            offset = theirs - datetime.now(UTC)
        except (KeyError, TypeError, ValueError):
            return
        self.offset = offset if abs(offset) > CLOCK_TOLERANCE else timedelta(0)


class _Recorder:
    """Replaces yfinance's client: records the raw answer and bypasses the cache.

    yfinance caches answers to past ranges, including errors, and reports neither duplicates nor empty rows.
    """

    def __init__(self, client: YahooClient) -> None:
        self._client = client
        self.body: dict[str, Any] = {}

    def get(self, url: str, params: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
        answer = self._client.get(url, params)
        body = answer.json()
        if not isinstance(body, dict):
            raise _malformed()
        self.body = body
        return answer

    cache_get = get

    @property
    def result(self) -> Mapping[str, Any]:
        """Return the series of a chart answer, empty where it has none."""
        try:
            result: Mapping[str, Any] = (self.body["chart"]["result"] or [{}])[0]
            return result if "meta" in result else {}
        except (KeyError, TypeError) as error:
            raise _malformed() from error


def _raise_for(problem: Mapping[str, Any], symbol: str, interval: str, error: Exception) -> None:
    """Raise the error that Yahoo's message describes, except for a range without candles."""
    reason = str(problem.get("description") or problem.get("code") or "")[:200]
    if "delisted" in reason or problem.get("code") == "Not Found":
        raise unknown_symbol(symbol) from error
    if "exist for startDate" not in reason:
        raise InvalidInput(
            "request_refused",
            text("Yahoo Finance rejects the request for {interval} candles of {symbol}: {reason}",
                 interval=interval, symbol=symbol, reason=reason),
            text("Choose another range or interval."),
        ) from error  # fmt: skip


def unknown_symbol(symbol: str) -> InvalidInput:
    """Return the error for a symbol that Yahoo does not know."""
    return InvalidInput(
        "unknown_symbol",
        text("Yahoo Finance does not know “{symbol}”; it may be delisted.", symbol=symbol),
        text("Search by name. Outside the United States symbols have an exchange suffix: 0700.HK, 600519.SS, VOD.L."),
    )


def _malformed() -> Unavailable:
    return unavailable("bad_answer", TITLE)
