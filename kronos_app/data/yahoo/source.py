"""Yahoo Finance through yfinance: search, every interval within its history limits, adjusted or not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd

from kronos_app.data import calendars
from kronos_app.data.about import About
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.yahoo.client import YahooClient, unknown_symbol
from kronos_app.errors import InvalidInput, NotFound
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
ADJUSTMENTS = ("adjusted", "none")
FIRST = datetime(1927, 1, 1, tzinfo=UTC)  # the longest series, the S&P 500, begins at the end of this year
# Yahoo measures reach by its own clock, and this machine's may be an hour off: what is asked for stays so far inside.
MARGIN = timedelta(minutes=70)

_MONTHS = {"1mo": 1, "3mo": 3}
_COLUMNS = {"timestamp": "Date"} | {name.lower(): name for name in ("Open", "High", "Low", "Close", "Volume")}
_SYMBOL = re.compile(r"[A-Z0-9.^=&_:$!-]{1,40}")


class YahooSource:
    """Yahoo Finance. Nothing is imported and nobody asked before the first search or fetch.

    Parameters
    ----------
    base_url
        An address that stands for all of Yahoo's hosts, such as a gateway inside a network without another way out.
    timeout
        Seconds that one answer may take.
    retries
        How often a request that failed for the moment is repeated.
    backoff
        Seconds before the first repetition; each further wait is twice as long.
    """

    key = "yahoo"
    title = text("Yahoo Finance")

    def __init__(
        self, base_url: str | None = None, *, timeout: float = 20.0, retries: int = 2, backoff: float = 1.0
    ) -> None:
        self._client = YahooClient(base_url, timeout, retries, backoff)

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths there are, the shortest first, each with how far back Yahoo has it."""
        return tuple(INTERVALS.values())

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return what Yahoo finds under a name or symbol, the likeliest first.

        Raises
        ------
        Unavailable
            Offline, rate limited, refused, or an answer that cannot be read.
        """
        query = query.strip()[:100]
        if not query:
            return []
        quotes = self._client.search(query, limit)
        return [
            Instrument(
                str(quote["symbol"]),
                str(quote.get("longname") or quote.get("shortname") or quote["symbol"]),
                str(quote.get("exchDisp") or quote.get("exchange") or ""),
            )
            for quote in quotes[:limit]
        ]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return candles in the exchange's time, ascending, without the one that has not ended.

        Currencies and coins within a day are told in UTC.

        Raises
        ------
        InvalidInput
            Yahoo does not know the symbol, or does not have the interval that far back.
        NotFound
            Yahoo has no candle of this instrument in the range.
        Unavailable
            Offline, rate limited, refused, or an answer that cannot be read.
        """
        symbol, interval, adjusted = _checked(request)
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
            raise _no_candles(symbol, interval, start, end)
        frame = pd.concat(pages).sort_index()
        frame = frame[~frame.index.duplicated(keep="last")].dropna(subset=["Open", "High", "Low", "Close"], how="all")
        if interval.length < _DAY:  # days are cut by Yahoo, by when their session opens
            frame = frame[(frame.index >= start) & (frame.index < end)]
        now = self._client.now()
        count = len(frame)
        while count and _end(frame.index[count - 1], interval, answers[-1]) > now:
            count -= 1
        finished = frame.iloc[:count]
        if finished.empty:
            raise _no_candles(symbol, interval, start, end)
        findings += [
            *_about_prices(answers[-1], interval, adjusted),
            *_about_rows(answers),
            *_about_time(frame, finished, self._client.offset),
        ]
        about = About(
            symbol,
            interval.key,
            ADJUSTMENTS[0] if adjusted else ADJUSTMENTS[1],
            currency=answers[-1].get("meta", {}).get("currency"),
            calendar=calendars.guess(self.key, symbol, str(pd.DatetimeIndex(finished.index).tz)),
            origin=self.title.render(),
        )
        if interval.length < _DAY and about.calendar in {calendars.ALWAYS, calendars.CURRENCIES}:
            finished = finished.tz_convert("UTC")  # local clocks would tell an hour twice that is traded through
        return _draft(finished, about, findings)

    def _range(self, request: FetchRequest, interval: Interval) -> tuple[datetime, datetime, list[Finding]]:
        """Return the range to ask for, within the reach of the interval, and what had to be cut off."""
        now = self._client.now()
        latest = now + MARGIN
        end = min(request.end or latest, latest)
        earliest = FIRST if interval.reach is None else now - interval.reach + MARGIN
        start = request.start or earliest
        if start >= end:
            raise InvalidInput(
                "empty_range",
                text(
                    "The range from {start} to {end} holds no time that has passed.", start=_say(start), end=_say(end)
                ),
                text("Choose a start before the end, and before now."),
            )
        if start >= earliest or interval.reach is None:
            return start, end, []
        if start < earliest - _DAY or end <= earliest:
            raise _too_far_back(interval, start, earliest, now)
        cut = text("Yahoo Finance has {interval} candles from {start} on.", interval=interval.key, start=_say(earliest))
        return earliest, end, [Finding("range_cut", "info", cut)]


def _checked(request: FetchRequest) -> tuple[str, Interval, bool]:
    symbol = request.symbol.strip().upper()
    if not _SYMBOL.fullmatch(symbol):
        raise unknown_symbol(request.symbol.strip()[:40])
    key = {"60m": "1h"}.get(request.interval, request.interval)  # the same candles
    if key not in INTERVALS:
        raise InvalidInput(
            "unknown_interval",
            text("Yahoo Finance has no interval “{interval}”.", interval=request.interval[:20]),
            text("Its intervals: {intervals}.", intervals=", ".join(INTERVALS)),
        )
    options = dict(request.options)
    adjustment = options.pop("adjustment", ADJUSTMENTS[0])
    if options or adjustment not in ADJUSTMENTS:
        raise InvalidInput(
            "unknown_option",
            text(
                "Yahoo Finance has no option “{option}”.", option=next(iter(options), f"adjustment={adjustment}")[:40]
            ),
            text("Its option: adjustment, one of {values}.", values=", ".join(ADJUSTMENTS)),
        )
    return symbol, INTERVALS[key], adjustment == "adjusted"


def _pages(start: datetime, end: datetime, page: timedelta | None) -> Iterator[tuple[datetime, datetime]]:
    while page is not None and end - start > page:
        yield start, start + page
        start += page
    yield start, end


def _end(begin: pd.Timestamp, interval: Interval, answer: Mapping[str, Any]) -> datetime:
    """Return when a candle is complete: when its time is over, or its session if that is sooner."""
    if interval.key in _MONTHS:
        end = begin + pd.DateOffset(months=_MONTHS[interval.key])
    else:  # the wall clock counts days, not 24 hours
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


def _about_prices(answer: Mapping[str, Any], interval: Interval, adjusted: bool) -> Iterator[Finding]:
    currency = str(answer.get("meta", {}).get("currency") or "?")[:10]
    if not adjusted or interval.length < _DAY:
        said = text("Prices in {currency}, adjusted for splits, not for dividends.", currency=currency)
    else:
        said = text("Prices in {currency}, adjusted for splits and dividends.", currency=currency)
    yield Finding("adjustment", "info", said)


def _about_rows(answers: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Say what yfinance puts right without a word."""
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
        yield Finding("empty_rows", "info", text("{count} candles came without prices and are left out.", count=empty))
    if repeated:
        yield Finding(
            "repeated_rows", "warning", text("{count} candles came more than once; one of each stays.", count=repeated)
        )
    if unsorted:
        yield Finding("unsorted_rows", "info", text("The candles came out of order and were sorted."))


def _about_time(frame: pd.DataFrame, finished: pd.DataFrame, offset: timedelta) -> Iterator[Finding]:
    if len(finished) < len(frame):
        began = f"{frame.index[len(finished)]:%Y-%m-%d %H:%M}"
        yield Finding(
            "unfinished_candle", "info", text("The candle of {time} has not ended and is left out.", time=began)
        )
    if offset:
        minutes = round(offset / timedelta(minutes=1))
        yield Finding(
            "clock_differs",
            "warning",
            text("Yahoo's clock is {minutes} minutes from this machine's; Yahoo's was used.", minutes=f"{minutes:+d}"),
        )


def _draft(frame: pd.DataFrame, about: About, findings: list[Finding]) -> Draft:
    times = pd.DatetimeIndex(frame.index)
    table = pd.DataFrame({"timestamp": times.tz_localize(None).as_unit("ns")})
    for name, header in list(_COLUMNS.items())[1:]:
        table[name] = frame[header].to_numpy("float64")
    if (table["volume"] == 0).all():
        del table["volume"]
        findings.append(Finding("no_volume", "info", text("Yahoo Finance has no volume of this instrument.")))
    table.index = pd.RangeIndex(1, len(table) + 1, name="row")
    columns = {name: header for name, header in _COLUMNS.items() if name in table}
    return Draft(
        table,
        name=str(about.symbol),
        source=YahooSource.key,
        timezone=str(times.tz),
        columns=columns,
        findings=tuple(findings),
        about=about,
    )


def _say(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _no_candles(symbol: str, interval: Interval, start: datetime, end: datetime) -> NotFound:
    return NotFound(
        "no_candles",
        text("Yahoo Finance has no finished {interval} candle of {symbol} between {start} and {end}.",
             interval=interval.key, symbol=symbol, start=_say(start), end=_say(end)),
        text("The market was closed, or the instrument was not traded yet or no longer. Choose a longer range."),
    )  # fmt: skip


def _too_far_back(interval: Interval, start: datetime, earliest: datetime, now: datetime) -> InvalidInput:
    longer = next(i.key for i in INTERVALS.values() if i.reach is None or start >= now - i.reach + MARGIN)
    assert interval.reach is not None
    return InvalidInput(
        "range_too_long",
        text("Yahoo Finance has {interval} candles of the last {days} days only; the range starts {start}.",
             interval=interval.key, days=interval.reach.days, start=_say(start)),
        text("Start at {earliest} or later, or choose {longer} candles.", earliest=_say(earliest), longer=longer),
    )  # fmt: skip
