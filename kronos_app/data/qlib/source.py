"""Qlib's folders of market data as a source: instruments of a market, adjusted by factor or not."""

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

from kronos_app.data.about import About
from kronos_app.data.candle_frame import PRICES
from kronos_app.data.draft import Draft, Finding
from kronos_app.data.qlib.files import QlibFiles
from kronos_app.data.source import FetchRequest, Instrument, Interval, OnPage
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import text

PREFIX = "qlib:"
ADJUSTMENTS = ("adjusted", "none")
ALL = "all"
FIELDS = (*PRICES, "volume", "vwap", "amount", "factor")

_DAY = timedelta(days=1)
_UNITS = {"min": ("m", timedelta(minutes=1)), "day": ("d", _DAY), "week": ("wk", 7 * _DAY), "month": ("mo", 30 * _DAY)}
_FREQUENCY = re.compile(r"(\d*)(min|day|week|month)")
_SYMBOL = re.compile(r"\.*[A-Za-z0-9_^=&-][A-Za-z0-9._^=&-]{0,39}")
_CHINESE = re.compile(r"(SH|SZ|BJ)\d{6}")


@dataclass(frozen=True)
class Region:
    """Where instruments are traded, as far as it can be told."""

    timezone: str | None = None
    currency: str | None = None
    calendar: str | None = None


REGIONS = {
    "cn": Region("Asia/Shanghai", "CNY", "XSHG"),
    "us": Region("America/New_York", "USD", "XNYS"),
    "tw": Region("Asia/Taipei", "TWD", "XTAI"),
}


class QlibFolder:
    """One folder in Qlib's layout; nothing of Qlib is imported, and nothing is written. Threads may share it.

    Parameters
    ----------
    name
        As people call it; the source's key has `qlib:` in front.
    folder
        What Qlib's own `provider_uri` names.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.key = PREFIX + name
        self.name = name
        self.title = text("Qlib folder {name}", name=name)
        self._files = QlibFiles(name, folder)

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths that have a calendar, the shortest first.

        Raises
        ------
        Unavailable
            The folder is not there, or not in Qlib's layout.
        """
        return tuple(self._frequencies().values())

    def markets(self) -> list[str]:
        """Return the names of the lists of instruments, `all` first, which there is always.

        Raises
        ------
        Unavailable
            As `intervals`.
        """
        return [ALL, *(market for market in self._files.markets() if market != ALL)]

    def instruments(self, market: str = ALL) -> list[Instrument]:
        """Return the instruments of a market by symbol; the name of each says from when to when it belongs to it.

        Raises
        ------
        NotFound
            There is no such market.
        Unavailable
            As `intervals`.
        """
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
        """Return instruments whose symbol has the query in it, those that begin with it first.

        Raises
        ------
        Unavailable
            As `intervals`.
        """
        wanted = query.strip().casefold()
        found = [one for one in self.instruments() if wanted in one.symbol.casefold()] if wanted else []
        return sorted(found, key=lambda one: not one.symbol.casefold().startswith(wanted))[:limit]

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return candles in the exchange's time, ascending, without those on which nothing was traded.

        The option `adjustment` is `adjusted` (default: as stored, which Qlib's tools adjust by a factor) or `none`.

        Raises
        ------
        InvalidInput
            The folder has no such instrument, interval or option, or no factor to take out.
        NotFound
            It has no candles of the instrument in the range.
        Unavailable
            The folder is not there, or a file in it is damaged.
        """
        adjusted = _is_adjusted(request)
        symbol = self._symbol(request.symbol)
        frequency, interval = self._frequency(request.interval)
        region = self._region(symbol)
        table = self._table(symbol, frequency, adjusted)
        times = pd.DatetimeIndex(table["timestamp"])
        table = table[_within(times, request, interval, region) & _ended(times, interval, region)]
        empty = table[list(PRICES)].isna().all(axis=1)
        traded = table[~empty]
        if traded.empty:
            raise NotFound(
                "no_candles",
                text("The Qlib folder “{name}” has no {interval} candle of {symbol} in this range.",
                     name=self.name, interval=interval.key, symbol=symbol),
                text("Choose a longer range: the instrument was not traded yet or no longer."),
            )  # fmt: skip
        inside = (table.index > traded.index[0]) & (table.index < traded.index[-1])
        findings = tuple(_findings(table, adjusted, int(empty[inside].sum())))
        traded = traded.drop(columns="vwap", errors="ignore")
        traded = traded.drop(columns=[n for n in ("volume", "amount") if n in traded and traded[n].isna().all()])
        traded.index = pd.RangeIndex(1, len(traded) + 1, name="row")
        if on_page is not None:
            on_page(len(traded))
        about = About(
            symbol, interval.key, ADJUSTMENTS[0] if adjusted else ADJUSTMENTS[1], region.currency, region.calendar,
            self.title.render(),
        )  # fmt: skip
        columns = {str(name): str(name) for name in traded}
        return Draft(traded, symbol, self.key, region.timezone, columns=columns, findings=findings, about=about)

    def _table(self, symbol: str, frequency: str, adjusted: bool) -> pd.DataFrame:
        """Return the fields of an instrument along the calendar; `vwap` stays where `amount` was made from it."""
        calendar = self._files.calendar(frequency)
        read = {name: self._files.field(symbol, name, frequency, len(calendar)) for name in FIELDS}
        lacking = [name for name in PRICES if read[name] is None]
        if lacking:
            raise NotFound(
                "no_prices",
                text("The Qlib folder “{name}” has no {fields} of {symbol}.",
                     name=self.name, fields=", ".join(lacking), symbol=symbol),
                text("Choose another instrument or interval, or have the data dumped again with these fields."),
            )  # fmt: skip
        table = pd.DataFrame(
            {"timestamp": calendar} | {name: values for name, values in read.items() if values is not None}
        )
        if "vwap" in table and "volume" in table:
            table["amount"] = table["volume"] * table["vwap"]
        if adjusted:
            return table.drop(columns="factor", errors="ignore")
        if "factor" not in table:
            raise InvalidInput(
                "no_factor",
                text("The Qlib folder “{name}” has no factor of {symbol} that could be taken out.",
                     name=self.name, symbol=symbol),
                text("Ask for adjusted prices."),
            )  # fmt: skip
        factor = table.pop("factor")
        prices = table[list(PRICES)].div(factor, axis=0)
        return table.assign(**prices, **({"volume": table["volume"] * factor} if "volume" in table else {}))

    def _symbol(self, asked: str) -> str:
        """Return the symbol as the folder writes it; only what its lists name is ever looked for on the disk."""
        known = {one.symbol.casefold(): one.symbol for one in self.instruments()}
        wanted = asked.strip().casefold()
        if not _SYMBOL.fullmatch(known.get(wanted, "")):
            near = difflib.get_close_matches(wanted, known, 5) or list(known)[:5]
            raise InvalidInput(
                "unknown_symbol",
                text("The Qlib folder “{name}” does not know “{symbol}”.", name=self.name, symbol=shorten(asked)),
                text("Choose one of its instruments, such as {symbols}.", symbols=", ".join(known[s] for s in near)),
            )
        return known[wanted]

    def _frequency(self, asked: str) -> tuple[str, Interval]:
        """Return Qlib's word for an interval, and the interval, which may be asked for by either."""
        known = self._frequencies()
        for frequency, interval in known.items():
            if asked in {interval.key, frequency}:
                return frequency, interval
        raise InvalidInput(
            "unknown_interval",
            text("The Qlib folder “{name}” has no interval “{interval}”.", name=self.name, interval=asked[:20]),
            text("Its intervals: {intervals}.", intervals=", ".join(interval.key for interval in known.values())),
        )

    def _frequencies(self) -> dict[str, Interval]:
        """Return the intervals that have a calendar by Qlib's word, the shortest first."""
        found = {}
        for frequency in self._files.frequencies():
            match = _FREQUENCY.fullmatch(frequency)
            if match is not None:
                unit, length = _UNITS[match[2]]
                count = int(match[1] or 1)
                found[frequency] = Interval(f"{count}{unit}", count * length)
        return dict(sorted(found.items(), key=lambda item: item[1].length))

    def _region(self, symbol: str) -> Region:
        words = ["cn"] if _CHINESE.fullmatch(symbol.upper()) else re.split(r"[^a-z]+", self.name.lower())
        return next((REGIONS[word] for word in words if word in REGIONS), Region())


def _is_adjusted(request: FetchRequest) -> bool:
    options = dict(request.options)
    adjustment = options.pop("adjustment", ADJUSTMENTS[0])
    if options or adjustment not in ADJUSTMENTS:
        wrong = next(iter(options), f"adjustment={adjustment}")
        raise InvalidInput(
            "unknown_option",
            text("A Qlib folder has no option “{option}”.", option=wrong[:40]),
            text("Its option: adjustment, one of {values}.", values=", ".join(ADJUSTMENTS)),
        )
    return adjustment == ADJUSTMENTS[0]


def _within(times: pd.DatetimeIndex, request: FetchRequest, interval: Interval, region: Region) -> NDArray[np.bool_]:
    inside = np.ones(len(times), dtype=bool)
    if request.start is not None:
        inside &= times >= _local(request.start, interval, region)
    if request.end is not None:
        inside &= times < _local(request.end, interval, region)
    return inside


def _local(moment: datetime, interval: Interval, region: Region) -> pd.Timestamp:
    """Return a time on the folder's clock; midnight in UTC is how a day is asked for, and stays that day."""
    moment = moment.astimezone(UTC)
    if interval.length >= _DAY and moment.time() == time():
        return pd.Timestamp(moment.replace(tzinfo=None))
    return pd.Timestamp(moment).tz_convert(region.timezone or "UTC").tz_localize(None)


def _ended(times: pd.DatetimeIndex, interval: Interval, region: Region) -> NDArray[np.bool_]:
    now = pd.Timestamp.now(region.timezone or "UTC").tz_localize(None)
    return np.asarray(times + interval.length <= now)


def _findings(table: pd.DataFrame, adjusted: bool, empty: int) -> Iterator[Finding]:
    told = (
        text("Prices and volumes are as stored, which Qlib's tools adjust for splits and dividends by a factor.")
        if adjusted
        else text("Prices and volumes are as traded: the factor for splits and dividends was taken out.")
    )
    yield Finding("adjustment", "info", told)
    if "vwap" in table and "volume" in table:
        yield Finding("amount", "info", text("Amount is volume times the volume-weighted price (vwap)."))
    if empty:
        yield Finding("empty_rows", "info", text("{count} candles came without prices and are left out.", count=empty))
