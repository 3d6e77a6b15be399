"""A market source on a clock that a test sets: it has a candle as soon as that has ended, and none before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from kronos_app.data.about import About
from kronos_app.data.draft import Draft
from kronos_app.data.source import Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import Unavailable
from kronos_app.i18n import text

HOUR = timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    """The present, moved by hand."""

    def __init__(self, present=datetime(2026, 3, 9, 12, 0, 30, tzinfo=UTC)):
        self.present = present

    def __call__(self):
        return self.present

    def forward(self, **span):
        self.present += timedelta(**span)
        return self.present


class GrowingSource:
    """Hourly candles since the first of March, by symbol.

    Attributes
    ----------
    ratio
        What the vendor multiplies all prices by: another value is a split.
    fault
        Code of the error that every fetch meets.
    """

    title = text("Growing market")

    def __init__(self, clock, key="binance"):
        self.key = key
        self.ratio = 1.0
        self.fault = None
        self.requests = []
        self._clock = clock

    def intervals(self):
        return (Interval("1h", HOUR), Interval("1d", timedelta(days=1)))

    def search(self, query, limit=20):
        names = ("BTC/USDT", "ETH/USDT")
        return [Instrument(name, name, "Growing") for name in names if query.upper() in name][:limit]

    def fetch(self, request, on_page=None):
        self.requests.append(request)
        if self.fault is not None:
            raise Unavailable(self.fault, text("The growing market is closed."), text("Try again later."))
        frame = self.frame(request.symbol)
        if on_page is not None:
            on_page(len(frame))
        times = frame["timestamp"].dt.tz_localize("UTC")
        if request.start is not None:
            frame = frame[times >= request.start]
        if request.end is not None:
            frame = frame[times < request.end]
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
        about = About(request.symbol, request.interval, origin="test")
        return Draft(frame, request.symbol, self.key, "UTC", about=about)

    def frame(self, symbol):
        """Return the candles that have ended by now."""
        rows = int((self._clock() - START) / HOUR)
        rng = np.random.default_rng(sum(map(ord, symbol)))
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 5_000)))[:rows] * self.ratio
        opened = np.concatenate([[100.0 * self.ratio], close[:-1]])
        times = pd.date_range(START.replace(tzinfo=None), periods=rows, freq="h").astype("datetime64[ns]")
        frame = pd.DataFrame({"timestamp": times, "open": opened, "high": 0.0, "low": 0.0, "close": close})
        frame["high"], frame["low"] = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
        frame["volume"] = 5.0
        return frame


def family(source):
    """Return a family of the one source, which trades round the clock as exchanges do."""
    return SourceFamily("exchange", source.title, lambda _settings: (source.key,), lambda *_: source, always_open=True)
