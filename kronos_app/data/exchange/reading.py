"""Reads the candles of one market page by page, and reports where some may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pandas as pd

from kronos_app.data.draft import Finding
from kronos_app.data.exchange import pages as exchange_pages
from kronos_app.data.exchange.client import ExchangeClient
from kronos_app.data.exchange.pages import Outline, Page
from kronos_app.data.source import Interval, OnPage
from kronos_app.i18n import text

MILLISECOND = timedelta(milliseconds=1)
DAY = timedelta(days=1)
COARSER = 20  # least ratio of the outline's candles to those that are read, so that reading it is cheap
_PAGE = 100  # candles per page where ccxt does not know the limit


@dataclass
class MarketReader:
    """Reads candles of one market by ccxt's unified symbol.

    `limit` is the largest page, None where ccxt does not know it; `on_page` is called with the number of candles after
    each page, and may raise to cancel.
    """

    client: ExchangeClient
    symbol: str
    limit: int | None
    on_page: OnPage | None
    _count: int = field(default=0, init=False)

    def read(
        self, interval: Interval, intervals: Sequence[Interval], begin: int, end: int
    ) -> tuple[Page, list[Finding]]:
        """Return the candles from `begin` until before `end`, in milliseconds, and a finding where some may be missing.

        `intervals` are all that the exchange has. After an empty page, the longest of up to a day shows when the market
        was traded.
        """
        coarse = _coarser(interval, intervals)
        outline = None
        if coarse is not None:
            length = coarse.length // MILLISECOND
            outline = Outline(
                partial(self._collect, coarse, begin - length, end, lambda _: self._report()), length, end
            )
        rows = self._collect(interval, begin, end, self._report, outline)
        return rows, _incomplete(self.client.name, interval, coarse, outline, rows, begin)

    def _collect(
        self, interval: Interval, begin: int, end: int, on_page: OnPage, outline: Outline | None = None
    ) -> Page:
        def fetch(since: int) -> Page:
            return self.client.call(
                lambda client: exchange_pages.to_page(client.fetch_ohlcv(self.symbol, interval.key, since, self.limit)),
                self._report,
            )

        length, limit = interval.length // MILLISECOND, self.limit or _PAGE
        return exchange_pages.collect(fetch, begin, end, length=length, limit=limit, on_page=on_page, outline=outline)

    def _report(self, count: int | None = None) -> None:
        self._count = self._count if count is None else count
        if self.on_page is not None:
            self.on_page(self._count)


def _coarser(interval: Interval, intervals: Sequence[Interval]) -> Interval | None:
    fitting = [other for other in intervals if interval.length * COARSER <= other.length <= DAY]
    return max(fitting, key=lambda other: other.length, default=None)


def _incomplete(
    exchange: str, interval: Interval, coarse: Interval | None, outline: Outline | None, rows: Page, begin: int
) -> list[Finding]:
    """Return a finding where traded coarser candles have no candle of this interval."""
    opens = outline.unanswered(rows[:, 0], begin) if outline is not None else rows[:0, 0]
    if coarse is None or not len(opens):
        return []
    first, last = (f"{pd.Timestamp(int(moment), unit='ms'):%Y-%m-%d %H:%M} UTC" for moment in (opens[0], opens[-1]))
    message = text(
        "{exchange} has no {interval} candle in {count} period(s) of {coarse} with trades, from {first} to {last}:"
        " candles may be missing. Fetch this range again later, or use a longer interval.",
        exchange=exchange, interval=interval.key, coarse=coarse.key, count=len(opens), first=first, last=last,
    )  # fmt: skip
    return [Finding("range_incomplete", "warning", message)]
