"""yfinance, made to keep time limits, to repeat what failed for the moment, and to tell one failure from another."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import text

CLOCK_TOLERANCE = timedelta(minutes=5)
_OFFLINE = {5, 6, 7}  # curl: no address of the proxy, no address of the host, no connection
_LATE = 28  # curl: the time limit passed
_NOT_AGAIN = {"access_denied", "timed_out"}  # asking again changes nothing, or has been waited for long enough
_DATA = ("/v8/finance/chart/", "/v1/finance/search")


class YahooClient:
    """yfinance with a state of its own, time limits on every request, retries, and errors told apart."""

    def __init__(self, base_url: str | None, timeout: float, retries: int, backoff: float) -> None:
        self._base_url = base_url
        self._timeout = timeout
        self._retries = retries
        self._backoff = backoff
        self._lock = Lock()
        self._shared: Any = None
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return the time by Yahoo's clock, as far as it has been heard; this machine's may be wrong."""
        return datetime.now(UTC) + self.offset

    def search(self, query: str, limit: int) -> list[dict[str, Any]]:
        """Return the quotes of Yahoo's answer that have a symbol."""
        from yfinance import Search

        client = self

        class UncachedSearch(Search):  # type: ignore[misc]  # yfinance has no types
            """The search of this client, not of the whole process."""

            def search(self) -> Any:
                self._data = _Recorder(client)
                return super().search()

        try:
            found = UncachedSearch(query, max_results=limit, news_count=0, lists_count=0)
            return [quote for quote in found.quotes if quote["symbol"]]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _malformed() from error

    def chart(
        self, symbol: str, interval: str, start: datetime, end: datetime, adjusted: bool
    ) -> tuple[pd.DataFrame, Mapping[str, Any]]:
        """Return one page of candles, indexed by exchange time, and the answer they were in."""
        from yfinance.exceptions import YFPricesMissingError
        from yfinance.scrapers.history import PriceHistory

        recorder = _Recorder(self)
        # Start and end are aware, so the zone that yfinance would look up first is not needed to understand them.
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
        """Return the answer once it is whole JSON and no failure of the moment; ask again after growing pauses."""
        wait = self._backoff
        for left in range(self._retries, -1, -1):
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
            answer = self._data().get(url, params, self._timeout)
        except YFRateLimitError as error:
            raise Unavailable(
                "rate_limited",
                text("Yahoo Finance takes no more requests for the moment (rate limit)."),
                text("Wait a few minutes and ask again, for fewer symbols at a time."),
            ) from error
        except RequestException as error:
            raise self._no_answer(int(error.code)) from error
        if answer.status_code in {401, 403}:
            raise Unavailable(
                "access_denied",
                text("Yahoo Finance refuses this machine (HTTP {status}).", status=answer.status_code),
                text("Yahoo shuts out some networks and countries; try another connection."),
            )
        if answer.status_code >= 500 or "Will be right back" in answer.text:
            raise Unavailable(
                "source_down",
                text("Yahoo Finance is out of order (HTTP {status}).", status=answer.status_code),
                text("Nothing is wrong here; try again later."),
            )
        try:
            answer.json()
        except ValueError as error:
            raise _malformed() from error
        return answer

    def _no_answer(self, code: int) -> Unavailable:
        if code in _OFFLINE:
            return Unavailable(
                "unreachable",
                text("Yahoo Finance cannot be reached from this machine."),
                text("Check the network connection and the proxy."),
            )
        if code == _LATE:
            return Unavailable(
                "timed_out",
                text("Yahoo Finance did not answer within {seconds} seconds.", seconds=f"{self._timeout:g}"),
                text("Try again; if that does not help, ask for a shorter range."),
            )
        return Unavailable(
            "connection_cut",
            text("The connection to Yahoo Finance broke off before the answer was complete."),
            text("Try again; if that does not help, check the network connection and the proxy."),
        )

    def _data(self) -> Any:
        """Return yfinance's own client, made at the first use: it keeps cookie and crumb, and sends the requests."""
        with self._lock:
            if self._shared is None:
                from yfinance import config
                from yfinance.data import YfData

                # yfinance still calls what a coming pandas drops; nobody who reads this program's log can change that.
                warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
                config.debug.hide_exceptions = False  # else a failure is logged and looks like an empty answer
                # YfData is one for the whole process; calling its type makes one that is only of this source.
                self._shared = type.__call__(YfData, self._session())
            return self._shared

    def _session(self) -> Any:
        """Return a browser-like session that keeps the time limit and, where one is set, goes to the base URL."""
        from curl_cffi.requests import Session

        base, limit, hear = self._base_url, self._timeout, self._hear

        class BoundSession(Session[Any]):
            """Every request of yfinance passes here, also those for cookies, which have limits of their own."""

            def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
                parts = urlsplit(url)
                # Cookies help but are not needed: where they hang, the candles must still come in time.
                seconds = limit if parts.path.startswith(_DATA) else limit / 4
                if base is not None:
                    url = f"{base.rstrip('/')}{parts.path}" + (f"?{parts.query}" if parts.query else "")
                answer = super().request(method, url, *args, **kwargs | {"timeout": seconds})
                hear(answer.headers)
                return answer

        return BoundSession(impersonate="chrome")

    def _hear(self, headers: Mapping[str, Any]) -> None:
        """Learn from an answer's date how far Yahoo's clock is from this machine's."""
        try:
            theirs = parsedate_to_datetime(headers["date"]) + timedelta(seconds=int(headers.get("age", 0)))
            offset = theirs - datetime.now(UTC)
        except (KeyError, TypeError, ValueError):
            return
        self.offset = offset if abs(offset) > CLOCK_TOLERANCE else timedelta(0)


class _Recorder:
    """What yfinance takes for its client: keeps the answer as it came, and answers nothing from a cache.

    yfinance caches answers to past ranges, errors among them, and reports neither duplicates nor empty rows.
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
        """Return the series of a chart answer."""
        try:
            result: Mapping[str, Any] = (self.body["chart"]["result"] or [{}])[0]
            return result if "meta" in result or not result else {}
        except (KeyError, TypeError) as error:
            raise _malformed() from error


def _raise_for(problem: Mapping[str, Any], symbol: str, interval: str, error: Exception) -> None:
    """Raise what Yahoo's own words mean; an answer that only says there are no candles is none."""
    said = str(problem.get("description") or problem.get("code") or "")[:200]
    if "delisted" in said or problem.get("code") == "Not Found":
        raise unknown_symbol(symbol) from error
    if "exist for startDate" not in said:
        raise InvalidInput(
            "request_refused",
            text("Yahoo Finance does not give {interval} candles of {symbol} so: {reason}",
                 interval=interval, symbol=symbol, reason=said),
            text("Choose another range or interval."),
        ) from error  # fmt: skip


def unknown_symbol(symbol: str) -> InvalidInput:
    """Return the error for a symbol that Yahoo does not know."""
    return InvalidInput(
        "unknown_symbol",
        text("Yahoo Finance does not know “{symbol}”, or no longer: it may be delisted.", symbol=symbol),
        text(
            "Search for the name. Outside the United States a symbol ends in its exchange: 0700.HK, 600519.SS, VOD.L."
        ),
    )


def _malformed() -> Unavailable:
    return Unavailable(
        "bad_answer",
        text("What Yahoo Finance answered cannot be read."),
        text("Try again; if it stays so, Yahoo has changed its answers: a newer yfinance may read them."),
    )
