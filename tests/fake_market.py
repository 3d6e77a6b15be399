"""A market source without a network, for services and pages: it answers at once, and as badly as a test asks."""

from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np
import pandas as pd

from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import Instrument, Interval
from kronos_app.data.source_options import YAHOO_OPTIONS
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import NotFound, Unavailable
from kronos_app.i18n import text

PAGE = 100


class FakeSource:
    """Candles of two symbols in pages of 100; `fault` makes it fail, `gate` makes it wait after the first page."""

    title = text("Fake market")

    def __init__(self, key="yahoo"):
        self.key = key
        self.fault = None
        self.dirty = False
        self.rows = 300
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        self.requests = []
        self.searches = 0

    def intervals(self):
        return (
            Interval("1m", timedelta(minutes=1), timedelta(days=7)),
            Interval("1h", timedelta(hours=1), timedelta(days=730)),
            Interval("1d", timedelta(days=1)),
        )

    def search(self, query, limit=20):
        self.searches += 1
        self._fail()
        known = [Instrument("AAPL", "Apple Inc.", "NASDAQ"), Instrument("AAPL.MX", "Apple [Mexico]", "BMV")]
        return [one for one in known if query.casefold() in f"{one.symbol} {one.name}".casefold()][:limit]

    def fetch(self, request, on_page=None):
        self.requests.append(request)
        self._fail()
        if request.symbol not in {"AAPL", "AAPL.MX"}:
            raise NotFound("no_candles", text("{name} has no candles.", name=request.symbol), text("Search for it."))
        for count in range(PAGE, self.rows + 1, PAGE):
            if on_page is not None:
                on_page(count)
            self.reached.set()
            assert self.gate.wait(60)
        finding = Finding("unfinished", "info", text("A remark of the fake market."))
        return Draft(self._frame(), request.symbol, self.key, "America/New_York", findings=(finding,))

    def _frame(self):
        close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, self.rows)))
        frame = pd.DataFrame({"timestamp": pd.date_range("2024-01-01", periods=self.rows).astype("datetime64[ns]")})
        frame["open"] = frame["close"] = close
        frame["high"], frame["low"], frame["volume"] = close * 1.01, close * 0.99, 5.0
        if self.dirty:
            frame.loc[7, "high"] = frame.loc[7, "low"] / 2
        frame.index = pd.RangeIndex(1, self.rows + 1, name="row")
        return frame

    def _fail(self):
        if self.fault is not None:
            raise Unavailable(self.fault, text("The fake market says 429."), text("Wait a minute, then fetch again."))


def family(source, key=None):
    """Return a family of the one source, with the options of Yahoo Finance where it stands in for that."""
    options = YAHOO_OPTIONS if source.key == "yahoo" else ()
    return SourceFamily(key or source.key, source.title, lambda _settings: (source.key,), lambda *_: source, options)
