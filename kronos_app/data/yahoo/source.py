"""Yahoo Finance through yfinance: search, every interval within its history limits, adjusted or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from kronos_app.data import source_messages as messages
from kronos_app.data.about import About
from kronos_app.data.calendars import ALWAYS, CALENDARS, CURRENCIES, names
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.source_messages import utc
from kronos_app.data.source_options import YAHOO_OPTIONS, read_options
from kronos_app.data.yahoo.client import TITLE, YahooClient, unknown_symbol
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

_DAY = timedelta(days=1)
INTERVALS: dict[str, Interval] = {
    interval.key: interval
    for interval in (
        Interval("1m", timedelta(minutes=1), 30 * _DAY),
        *(Interval(f"{n}m", timedelta(minutes=n), 60 * _DAY) for n in (2, 5, 15, 30)),
        Interval("1h", timedelta(hours=1), 730 * _DAY),
        Interval("90m", timedelta(minutes=90), 60 * _DAY),
        Interval("1d", _DAY),
        Interval("5d", 5 * _DAY),
        Interval("1wk", 7 * _DAY),
        Interval("1mo", 30 * _DAY),
        Interval("3mo", 91 * _DAY),
    )
}
PAGE = {"1m": 7 * _DAY}  # the longest range of one request, where that is less than the reach
FIRST = datetime(1927, 1, 1, tzinfo=UTC)  # the longest series, the S&P 500, begins at the end of this year
# Yahoo measures reach by its own clock, and this machine's may be an hour off: requests stay this far inside.
MARGIN = timedelta(minutes=70)
# Shares and indices without a suffix: the zone that Yahoo states identifies the exchange.
HOME_EXCHANGES: Mapping[str, str] = {
    CALENDARS[key].zone: key
    for key in (
        "XNYS", "XTSE", "BVMF", "XMEX", "XLON", "XETR", "XPAR", "XAMS", "XBRU", "XMAD", "XMIL", "XSWX", "XWBO", "XSTO",
        "XOSL", "XCSE", "XHEL", "XIST", "XSHG", "XHKG", "XTAI", "XTKS", "XKRX", "XBOM", "XSES", "XASX", "XNZE",
    )
}  # fmt: skip

_MONTHS = {"1mo": 1, "3mo": 3}
_PRICES = ("Open", "High", "Low", "Close")
_COLUMNS = {"timestamp": "Date"} | {name.lower(): name for name in (*_PRICES, "Volume")}
_SYMBOL = re.compile(r"[A-Z0-9.^=&_:$!-]{1,40}")


class YahooSource:
    """Yahoo Finance; yfinance is imported and Yahoo contacted on first use.

    Parameters
    ----------
    base_url
        Address used instead of all of Yahoo's hosts, such as a gateway in a closed network.
    timeout
        Seconds that one answer may take.
    retries, backoff
        Retries after a temporary failure, and seconds before the first; each further pause is twice as long.
    """

    key = "yahoo"
    title = TITLE

    def __init__(
        self, base_url: str | None = None, *, timeout: float = 20.0, retries: int = 2, backoff: float = 1.0
    ) -> None:
        self._client = YahooClient(base_url, timeout, retries, backoff)

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths, the shortest first, each with how far back Yahoo has it."""
        return tuple(INTERVALS.values())

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return Yahoo's search results for a name or symbol, the likeliest first."""
        query = query.strip()[:100]
        if not query:
            return []
        return [
            Instrument(
                str(quote["symbol"]),
                str(quote.get("longname") or quote.get("shortname") or quote["symbol"]),
                str(quote.get("exchDisp") or quote.get("exchange") or ""),
            )
            for quote in self._client.search(query, limit)[:limit]
        ]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return completed candles in the exchange's time, ascending; errors are those of `CandleSource`.

        Intraday candles of currencies and crypto are in UTC.
        """
        symbol = request.symbol.strip().upper()
        if not _SYMBOL.fullmatch(symbol):
            raise unknown_symbol(request.symbol.strip()[:40])
        key = {"60m": "1h"}.get(request.interval, request.interval)  # the same candles
        interval = messages.find_interval(self.title, self.intervals(), key)
        adjustment = read_options(self.title, YAHOO_OPTIONS, request.options)["adjustment"]
        adjusted = adjustment == "adjusted"
        start, end, findings = self._range(request, interval)
        pages: list[pd.DataFrame] = []
        answers: list[Mapping[str, Any]] = []
        for first, last in _pages(start, end, PAGE.get(interval.key)):
            frame, answer = self._client.chart(symbol, interval.key, first, last, adjusted)
            answers.append(answer)
            if len(frame):
                pages.append(frame)
            if on_page is not None:
                on_page(sum(map(len, pages)))
        if not pages:
            raise messages.no_candles(self.title, symbol, interval.key, start, end)
        frame = pd.concat(pages).sort_index()
        frame = frame[~frame.index.duplicated(keep="last")].dropna(subset=list(_PRICES), how="all")
        if interval.length < _DAY:  # Yahoo selects days by the open of their session
            frame = frame[(frame.index >= start) & (frame.index < end)]
        now = self._client.now()
        count = len(frame)
        while count and _end(frame.index[count - 1], interval, answers[-1]) > now:
            count -= 1
        finished = frame.iloc[:count]
        if finished.empty:
            raise messages.no_candles(self.title, symbol, interval.key, start, end)
        findings += [_price_finding(answers[-1], interval, adjusted), *_row_findings(answers)]
        if count < len(frame):
            findings.append(messages.unfinished_candle(frame.index[count]))
        if self._client.offset:
            findings.append(messages.clock_differs(self.title, self._client.offset))
        about = About(
            symbol,
            interval.key,
            adjustment,
            currency=answers[-1].get("meta", {}).get("currency"),
            calendar=calendar_of(symbol, str(pd.DatetimeIndex(finished.index).tz)),
            origin=self.title.render(),
        )
        if interval.length < _DAY and about.calendar in {ALWAYS, CURRENCIES}:
            finished = finished.tz_convert("UTC")  # these trade through the hour that local clocks repeat
        return _draft(finished, about, findings)

    def _range(self, request: FetchRequest, interval: Interval) -> tuple[datetime, datetime, list[Finding]]:
        """Return the range to fetch, within the reach of the interval, and a finding where it was shortened."""
        now = self._client.now()
        latest = now + MARGIN
        end = min(request.end or latest, latest)
        earliest = FIRST if interval.reach is None else now - interval.reach + MARGIN
        start = request.start or earliest
        if start >= end:
            raise messages.empty_range(start, end)
        if start >= earliest or interval.reach is None:
            return start, end, []
        if start < earliest - _DAY or end <= earliest:
            raise _too_far_back(interval, start, earliest, now)
        return earliest, end, [messages.range_starts_later(self.title, interval.key, earliest)]


def calendar_of(symbol: str, timezone: str) -> str | None:
    """Return the key of the calendar of a Yahoo symbol in the stated zone, None where neither identifies it."""
    if symbol.endswith(("=X", "=F")):
        return names.of_symbol(symbol)[0]
    if re.fullmatch(rf"[A-Z0-9]{{2,15}}-({names.MONEY})", symbol):
        return ALWAYS
    return names.SUFFIXES.get(symbol.rpartition(".")[2]) if "." in symbol else HOME_EXCHANGES.get(timezone)


def _pages(start: datetime, end: datetime, page: timedelta | None) -> Iterator[tuple[datetime, datetime]]:
    while page is not None and end - start > page:
        yield start, start + page
        start += page
    yield start, end


def _end(begin: pd.Timestamp, interval: Interval, answer: Mapping[str, Any]) -> datetime:
    """Return when a candle is complete: at the end of its interval, or of its session if that is earlier."""
    if interval.key in _MONTHS:
        end = begin + pd.DateOffset(months=_MONTHS[interval.key])
    else:  # days by the wall clock, which may have 23 or 25 hours
        days = 7 if interval.key == "5d" else interval.length.days
        end = begin + (pd.DateOffset(days=days) if days else pd.Timedelta(interval.length))
    try:
        session = answer["meta"]["currentTradingPeriod"]["regular"]
        opens, closes = (pd.Timestamp(session[key], unit="s", tz="UTC") for key in ("start", "end"))
    except (KeyError, TypeError, ValueError):
        return end.to_pydatetime()
    closes = closes.ceil("5min")  # sessions around the clock are stated to 23:59
    within = begin.date() == opens.tz_convert(begin.tz).date() if interval.length == _DAY else opens <= begin < closes
    if interval.length <= _DAY and within:
        end = min(end, closes) if interval.length < _DAY else closes
    return end.to_pydatetime()


def _price_finding(answer: Mapping[str, Any], interval: Interval, adjusted: bool) -> Finding:
    currency = str(answer.get("meta", {}).get("currency") or "?")[:10]
    message = text("Prices in {currency}, adjusted for splits and dividends.", currency=currency)
    if not adjusted or interval.length < _DAY:
        message = text("Prices in {currency}, adjusted for splits, not for dividends.", currency=currency)
    return Finding("adjustment", "info", message)


def _row_findings(answers: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Yield findings about what yfinance corrects silently."""
    empty = repeated = 0
    unsorted = False
    for answer in answers:
        times = answer.get("timestamp") or []
        quote = answer["indicators"]["quote"][0] if times else {}
        prices = [quote[name] for name in ("open", "high", "low", "close")] if times else []
        empty += sum(all(price is None for price in row) for row in zip(*prices, strict=True))
        repeated += len(times) - len(set(times))
        unsorted |= any(later < earlier for earlier, later in pairwise(times))
    if empty:
        yield messages.empty_rows(empty)
    if repeated:
        message = text("{count} candles were repeated; one of each is used.", count=repeated)
        yield Finding("repeated_rows", "warning", message)
    if unsorted:
        yield Finding("unsorted_rows", "info", text("The candles were out of order and were sorted."))


def _draft(frame: pd.DataFrame, about: About, findings: list[Finding]) -> Draft:
    times = pd.DatetimeIndex(frame.index)
    table = pd.DataFrame({"timestamp": times.tz_localize(None).as_unit("ns")})
    for name, header in list(_COLUMNS.items())[1:]:
        table[name] = frame[header].to_numpy("float64")
    if (table["volume"] == 0).all():
        del table["volume"]
        findings.append(Finding("no_volume", "info", text("Yahoo Finance has no volume for this instrument.")))
    table.index = pd.RangeIndex(1, len(table) + 1, name="row")
    columns = {name: header for name, header in _COLUMNS.items() if name in table}
    return Draft(
        table, str(about.symbol), YahooSource.key, str(times.tz), columns, findings=tuple(findings), about=about
    )


def _too_far_back(interval: Interval, start: datetime, earliest: datetime, now: datetime) -> InvalidInput:
    longer = next(i.key for i in INTERVALS.values() if i.reach is None or start >= now - i.reach + MARGIN)
    assert interval.reach is not None
    return InvalidInput(
        "range_too_long",
        text("Yahoo Finance has {interval} candles of the last {days} days only; the range starts {start}.",
             interval=interval.key, days=interval.reach.days, start=utc(start)),
        text("Start at {earliest} or later, or choose {longer} candles.", earliest=utc(earliest), longer=longer),
    )  # fmt: skip
