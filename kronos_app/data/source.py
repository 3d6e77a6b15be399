"""The interface of a market data source: it names its intervals, finds instruments and fetches candles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from kronos_app.data.draft import Draft
from kronos_app.i18n import Text

LONGEST_SYMBOL = 100

OnPage = Callable[[int], None]
"""Called with the number of candles so far after each page; may raise to cancel."""


@dataclass(frozen=True)
class Interval:
    """A candle length: the source's key, such as `1d`, its duration, and how far back it reaches (None: no limit)."""

    key: str
    length: timedelta
    reach: timedelta | None = None


@dataclass(frozen=True)
class Instrument:
    """A search result: the symbol to fetch, a name for display, and the exchange."""

    symbol: str
    name: str
    exchange: str


@dataclass(frozen=True)
class SourceOption:
    """A yes-no option of a request: its name, its values for yes (the default) and no, and texts for forms."""

    name: str
    on: str
    off: str
    title: Text
    help: Text


@dataclass(frozen=True)
class FetchRequest:
    """One series to fetch, written as the source writes it.

    `start` and `end` are a half-open range of aware times, None for the earliest and the latest; `options` are values
    by the names of the source's options.
    """

    symbol: str
    interval: str
    start: datetime | None = None
    end: datetime | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class CandleSource(Protocol):
    """A source of candles, shared by threads; `key` is its name in the registry and the store, `title` for display."""

    key: str
    title: Text

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths, the shortest first; raise `Unavailable` if the source does not answer."""

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return instruments that match a query, the likeliest first; raise `Unavailable` if there is no answer."""

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return completed candles, ascending.

        Raises
        ------
        InvalidInput
            The source does not have the symbol, interval or range; the message says what it has.
        NotFound
            The source knows the symbol but has no candles in this range.
        Unavailable
            Offline, rate limited, refused, or an invalid answer; the code says which.
        """


class ListedSource(CandleSource, Protocol):
    """A source whose instruments are few enough to choose from lists, read without a network."""

    def markets(self) -> list[str]:
        """Return the names of the lists of instruments; raise `Unavailable` if they cannot be read."""

    def instruments(self, market: str) -> list[Instrument]:
        """Return the instruments of a list; raise `NotFound` for an unknown list."""
