"""What a market data source is: it names its intervals, finds instruments and fetches candles."""

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
    """A candle length that a source has.

    Attributes
    ----------
    key
        As the source writes it, such as `1d` or `15m`.
    length
        How long a candle is.
    reach
        How far back the source answers at this interval; None for everything it has.
    """

    key: str
    length: timedelta
    reach: timedelta | None = None


@dataclass(frozen=True)
class Instrument:
    """A line of a search: the symbol to fetch by, a name for people, and where it is traded."""

    symbol: str
    name: str
    exchange: str


@dataclass(frozen=True)
class FetchRequest:
    """One series to fetch.

    Attributes
    ----------
    symbol, interval
        As the source writes them.
    start, end
        Aware times, the first included and the second not; None for the earliest and the latest there is.
    options
        What only this source asks for, by the names its documentation has.
    """

    symbol: str
    interval: str
    start: datetime | None = None
    end: datetime | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class CandleSource(Protocol):
    """A place candles come from. Threads may share one.

    Attributes
    ----------
    key
        Its name in the registry and in what is stored.
    title
        Its name for people.
    """

    key: str
    title: Text

    def intervals(self) -> Sequence[Interval]:
        """Return the candle lengths there are, the shortest first.

        Raises
        ------
        Unavailable
            The source has to be asked and does not answer.
        """

    def search(self, query: str, limit: int = 20) -> list[Instrument]:
        """Return instruments that match what a user typed, the likeliest first; none is an answer, too.

        Raises
        ------
        Unavailable
            The source does not answer, or not now: the message says which.
        """

    def fetch(self, request: FetchRequest, on_page: OnPage | None = None) -> Draft:
        """Return candles, ascending, without the one that has not ended.

        Raises
        ------
        InvalidInput
            The symbol, interval or range is not to be had here; the message says what is.
        NotFound
            The source knows the symbol but has no candles of it in this range.
        Unavailable
            Offline, rate limited, refused, or an answer that makes no sense, each told apart.
        """
