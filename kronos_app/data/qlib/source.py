"""Qlib folders as a source: instruments of a market, adjusted by factor or not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data import source_messages as messages
from kronos_app.data.about import About
from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.qlib.files import QlibFiles
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.source_options import QLIB_OPTIONS, read_options
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import text

PREFIX = "qlib:"
ALL = "all"
FIELDS = (*PRICES, "volume", "vwap", "amount", "factor")

_DAY = timedelta(days=1)
_UNITS = {"min": ("m", timedelta(minutes=1)), "day": ("d", _DAY), "week": ("wk", 7 * _DAY), "month": ("mo", 30 * _DAY)}
_FREQUENCY = re.compile(r"(\d*)(min|day|week|month)")
_SYMBOL = re.compile(r"\.*[A-Za-z0-9_^=&-][A-Za-z0-9._^=&-]{0,39}")
_CHINESE = re.compile(r"(SH|SZ|BJ)\d{6}")


@dataclass(frozen=True)
class Region:
    """Time zone, currency and calendar of a folder's instruments, None where unknown."""

    timezone: str | None = None
    currency: str | None = None
    calendar: str | None = None


REGIONS = {
    "cn": Region("Asia/Shanghai", "CNY", "XSHG"),
    "us": Region("America/New_York", "USD", "XNYS"),
    "tw": Region("Asia/Taipei", "TWD", "XTAI"),
}


class QlibFolder:
    """One folder in Qlib's layout, read without Qlib and never written; shared by threads.

    `name` is its name for display, with `qlib:` in front its key; `folder` is Qlib's `provider_uri`.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.key = PREFIX + name
        self.name = name
        self.title = text("Qlib folder {name}", name=name)
        self._files = QlibFiles(name, folder)

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths that have a calendar, the shortest first."""
        return tuple(self._frequencies().values())

    def markets(self) -> list[str]:
        """Return the names of the lists of instruments, first `all`, which always exists."""
        return [ALL, *(market for market in self._files.markets() if market != ALL)]

    def instruments(self, market: str = ALL) -> list[Instrument]:
        """Return the instruments of a market by symbol, named by the time in which they belong to it."""
        stored = self._files.markets()
        if market not in stored and market != ALL:
            raise NotFound(
                "unknown_market",
                text("The Qlib folder “{name}” has no market “{market}”.", name=self.name, market=shorten(market)),
                text("Its markets: {markets}.", markets=", ".join(stored)),
            )
        spans: dict[str, tuple[str, str]] = {}
        for part in [market] if market in stored else stored:
            spans.update(self._files.spans(part))
        return [Instrument(s, " – ".join(day[:10] for day in spans[s] if day), "") for s in sorted(spans)]

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return instruments whose symbol contains the query, those that begin with it first."""
        part = query.strip().casefold()
        instruments = self.instruments() if part else []
        matches = [instrument for instrument in instruments if part in instrument.symbol.casefold()]
        return sorted(matches, key=lambda instrument: not instrument.symbol.casefold().startswith(part))[:limit]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return completed candles in the exchange's time, ascending; errors are those of `CandleSource`.

        The option `adjustment` is `adjusted` (default: as stored, which Qlib's tools adjust by a factor) or `none`.
        Days without trades are left out.
        """
        adjustment = read_options(self.title, QLIB_OPTIONS, request.options)["adjustment"]
        adjusted = adjustment == "adjusted"
        symbol = self._symbol(request.symbol)
        frequency, interval = self._frequency(request.interval)
        region = self._region(symbol)
        table = self._table(symbol, frequency, adjusted)
        times = pd.DatetimeIndex(table["timestamp"])
        table = table[_within(times, request, interval, region) & _ended(times, interval, region)]
        empty = table[list(PRICES)].isna().all(axis=1)
        traded = table[~empty]
        if traded.empty:
            raise messages.no_candles_in_range(self.title, request)
        inside = (table.index > traded.index[0]) & (table.index < traded.index[-1])
        findings = tuple(_findings(table, adjusted, int(empty[inside].sum())))
        traded = traded.drop(columns="vwap", errors="ignore")
        traded = traded.drop(columns=[n for n in ("volume", "amount") if n in traded and traded[n].isna().all()])
        traded.index = pd.RangeIndex(1, len(traded) + 1, name="row")
        if on_page is not None:
            on_page(len(traded))
        origin = self.title.render()
        about = About(symbol, interval.key, adjustment, region.currency, region.calendar, origin)
        columns = {str(name): str(name) for name in traded}
        return Draft(traded, symbol, self.key, region.timezone, columns=columns, findings=findings, about=about)

    def _table(self, symbol: str, frequency: str, adjusted: bool) -> pd.DataFrame:
        """Return the fields of an instrument along the calendar, with `amount` computed where there is a `vwap`."""
        calendar = self._files.calendar(frequency)
        fields = {name: self._files.field(symbol, name, frequency, len(calendar)) for name in FIELDS}
        lacking = [name for name in PRICES if fields[name] is None]
        if lacking:
            raise NotFound(
                "no_prices",
                text("The Qlib folder “{name}” has no {fields} of {symbol}.",
                     name=self.name, fields=", ".join(lacking), symbol=symbol),
                text("Choose another instrument or interval, or dump the data again with these fields."),
            )  # fmt: skip
        table = pd.DataFrame(
            {"timestamp": calendar} | {name: values for name, values in fields.items() if values is not None}
        )
        if "vwap" in table and "volume" in table:
            table["amount"] = table["volume"] * table["vwap"]
        if adjusted:
            return table.drop(columns="factor", errors="ignore")
        if "factor" not in table:
            raise InvalidInput(
                "no_factor",
                text("The Qlib folder “{name}” has no adjustment factor of {symbol}.",
                     name=self.name, symbol=symbol),
                text("Use adjusted prices."),
            )  # fmt: skip
        factor = table.pop("factor")
        prices = table[list(PRICES)].div(factor, axis=0)
        return table.assign(**prices, **({"volume": table["volume"] * factor} if "volume" in table else {}))

    def _symbol(self, symbol: str) -> str:
        """Return the symbol as the folder writes it; only symbols in its lists become part of a path."""
        listed = {instrument.symbol.casefold(): instrument.symbol for instrument in self.instruments()}
        key = symbol.strip().casefold()
        if not _SYMBOL.fullmatch(listed.get(key, "")):
            near = difflib.get_close_matches(key, listed, 5) or list(listed)[:5]
            raise InvalidInput(
                "unknown_symbol",
                text("The Qlib folder “{name}” does not know “{symbol}”.", name=self.name, symbol=shorten(symbol)),
                text("Choose one of its instruments, such as {symbols}.", symbols=", ".join(listed[s] for s in near)),
            )
        return listed[key]

    def _frequency(self, key: str) -> tuple[str, Interval]:
        """Return the frequency and the interval for the name of either."""
        intervals = self._frequencies()
        interval = intervals.get(key) or messages.find_interval(self.title, tuple(intervals.values()), key)
        return next(frequency for frequency, other in intervals.items() if other == interval), interval

    def _frequencies(self) -> dict[str, Interval]:
        """Return the intervals that have a calendar by Qlib's frequency, the shortest first."""
        intervals = {}
        for frequency in self._files.frequencies():
            match = _FREQUENCY.fullmatch(frequency)
            if match is not None:
                unit, length = _UNITS[match[2]]
                count = int(match[1] or 1)
                intervals[frequency] = Interval(f"{count}{unit}", count * length)
        return dict(sorted(intervals.items(), key=lambda item: item[1].length))

    def _region(self, symbol: str) -> Region:
        words = ["cn"] if _CHINESE.fullmatch(symbol.upper()) else re.split(r"[^a-z]+", self.name.lower())
        return next((REGIONS[word] for word in words if word in REGIONS), Region())


def _within(times: pd.DatetimeIndex, request: FetchRequest, interval: Interval, region: Region) -> NDArray[np.bool_]:
    inside = np.ones(len(times), dtype=bool)
    if request.start is not None:
        inside &= times >= _local(request.start, interval, region)
    if request.end is not None:
        inside &= times < _local(request.end, interval, region)
    return inside


def _local(moment: datetime, interval: Interval, region: Region) -> pd.Timestamp:
    """Return a time by the folder's clock; for days, midnight in UTC stands for the date and is unchanged."""
    moment = moment.astimezone(UTC)
    if interval.length >= _DAY and moment.time() == time():
        return pd.Timestamp(moment.replace(tzinfo=None))
    return pd.Timestamp(moment).tz_convert(region.timezone or "UTC").tz_localize(None)


def _ended(times: pd.DatetimeIndex, interval: Interval, region: Region) -> NDArray[np.bool_]:
    now = pd.Timestamp.now(region.timezone or "UTC").tz_localize(None)
    return np.asarray(times + interval.length <= now)


def _findings(table: pd.DataFrame, adjusted: bool, empty: int) -> Iterator[Finding]:
    message = text("Prices and volumes as stored: Qlib's tools adjust them for splits and dividends by a factor.")
    if not adjusted:
        message = text("Prices and volumes as traded, without the factor for splits and dividends.")
    yield Finding("adjustment", "info", message)
    if "vwap" in table and "volume" in table:
        yield Finding("amount", "info", text("Amount is volume times the volume-weighted price (vwap)."))
    if empty:
        yield messages.empty_rows(empty)
