"""A vendor of hourly candles that keeps to the range it is asked for, and changes its mind when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from kronos_app.data.about import About
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.source import Interval
from kronos_app.errors import InvalidInput, NotFound, Unavailable
from kronos_app.i18n import text

HOUR = timedelta(hours=1)
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


class Vendor:
    """Candles of any symbol since `BEGIN`, on a clock that a test moves.

    Attributes
    ----------
    present
        The clock: a candle is there once it has ended.
    reach
        How far back it answers; None for everything.
    factors
        Prices before a time are multiplied by a factor, volumes divided by it: a split.
    corrected
        Closes by time that differ from what the vendor said first.
    fault
        Code of the error that every fetch meets.
    """

    title = text("Vendor")

    def __init__(self, key="vendor", present=datetime(2024, 3, 1, tzinfo=UTC)):
        self.key = key
        self.present = present
        self.reach = None
        self.factors = []
        self.corrected = {}
        self.fault = None
        self.gone = False
        self.volume = True
        self.zone = "UTC"
        self.during = lambda: None
        self.requests = []

    def __call__(self):
        return self.present

    def intervals(self):
        return (Interval("1h", HOUR, self.reach),)

    def search(self, query, limit=20):
        return []

    def fetch(self, request, on_page=None):
        self.requests.append((request.start, request.end))
        if self.fault is not None:
            raise Unavailable(self.fault, text("The vendor is busy."), text("Wait."))
        if self.gone:
            raise InvalidInput("unknown_symbol", text("There is no {name}.", name=request.symbol))
        earliest = BEGIN if self.reach is None else max(BEGIN, self.present - self.reach)
        if request.start is not None and request.start < earliest - timedelta(days=1) and self.reach is not None:
            raise InvalidInput("range_too_long", text("The vendor does not reach so far."))
        table = self.truth()
        times = table.index
        start, end = request.start or earliest, request.end or self.present
        table = table[(times >= max(start, earliest)) & (times < end)]
        if table.empty:
            raise NotFound("no_candles", text("The vendor has no candle of {name}.", name=request.symbol))
        if on_page is not None:
            on_page(len(table))
        self.during()
        frame = table.reset_index(drop=True)
        local = pd.DatetimeIndex(table.index).tz_convert(self.zone).tz_localize(None).as_unit("ns")
        frame.insert(0, "timestamp", local)
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
        about = About(request.symbol.upper(), "1h", "none", "USD", "24/7", "the vendor")
        return Draft(frame, about.symbol, self.key, self.zone, findings=(_SAID,), about=about)

    def truth(self):
        """Return all finished candles as the vendor has them now, by time in UTC."""
        count = int((self.present - BEGIN) / HOUR)
        close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.001, 100_000)))[:count]
        table = pd.DataFrame(index=pd.date_range(BEGIN, periods=count, freq="h", tz="UTC", unit="ns"))
        table["open"], table["high"], table["low"], table["close"] = close, close * 1.01, close * 0.99, close
        table["volume"] = np.arange(count, dtype=float) + 1
        for moment, factor in self.factors:
            before = table.index < moment
            table.loc[before, ["open", "high", "low", "close"]] *= factor
            table.loc[before, "volume"] /= factor
        for moment, value in self.corrected.items():
            if moment in table.index:
                table.loc[moment, "close"] = value
        return table if self.volume else table.drop(columns="volume")


_SAID = Finding("adjustment", "info", text("Prices in USD."))
