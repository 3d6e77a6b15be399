"""Fetches pages of candles from an exchange one after the other and merges them into one series.

A page is an array of float64, one row a candle: open time in milliseconds since 1970, open, high, low, close, volume.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Page = NDArray[np.float64]
FetchPage = Callable[[int], Page]
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
PROOF = 3  # candles beyond a window that prove that an exchange returns the next candles, whatever the window
PATIENCE = 20  # empty answers at the start of a range before searching for the first stored candle


def to_page(rows: Sequence[Sequence[Any]]) -> Page:
    """Return rows as a page, empty cells as NaN; raise `ValueError` or `TypeError` if they are not candles."""
    page = np.array([row[: len(COLUMNS)] for row in rows], dtype="float64").reshape(-1, len(COLUMNS))
    if not (page[:, 0] > 0).all():
        raise ValueError("a candle without a time")
    return page


def merge(pages: Iterable[Page]) -> Page:
    """Return every candle of overlapping pages once, ascending.

    Of several readings of a candle the last is used: it may have been incomplete when it was first read.
    """
    rows: Page = np.concatenate([np.empty((0, len(COLUMNS))), *pages])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    last: Page = rows[np.append(rows[1:, 0] != rows[:-1, 0], True)[: len(rows)]]
    return last


def collect(
    fetch: FetchPage,
    begin: int,
    end: int,
    *,
    length: int,
    limit: int,
    on_page: Callable[[int], None],
    outline: Outline | None = None,
) -> Page:
    """Return the candles from `begin` until before `end`.

    An exchange returns either the next candles, or only those in a window of time. In the second case an empty answer
    says nothing about later windows, so each window is requested, except those without trades by the outline.

    Parameters
    ----------
    fetch
        Returns the page of candles that begins at a time.
    begin, end, length
        Milliseconds.
    limit
        Most candles in a page.
    on_page
        Called with the number of candles after each page; may raise to cancel.
    outline
        Coarser candles of the same market, read when a page is empty.
    """
    pages: list[Page] = []
    window = Window(length, limit)
    since, newest, count, empty = begin, begin - 1, 0, 0
    while since < end and newest + length < end:
        page = fetch(since)
        pages.append(page)
        opens = window.reached(page[:, 0], since, newest, end)
        if len(opens):
            count, empty, newest = count + len(opens), 0, int(opens[-1])
            since = newest + 1  # not a length further: a month has no length, and a candle that comes twice is merged
        else:
            empty += 1
            since += window.size
            if outline is not None:
                since = outline.traded_from(since)
                if not count and empty == PATIENCE:
                    since = outline.kept_from(since, lambda start, stop: _has_candles(fetch, start, stop, window.size))
        on_page(count)
    rows = merge(pages)
    return rows[(rows[:, 0] >= begin) & (rows[:, 0] < end)]


class Window:
    """The time that one answer covers: at least `size` milliseconds, reduced when answers cover less."""

    def __init__(self, length: int, limit: int) -> None:
        self.size = max(limit - 1, 1) * length  # some exchanges count both ends
        self._reach = (limit + 1) * length
        self._length = length
        self._requested: int | None = None

    def reached(self, opens: NDArray[np.float64], since: int, newest: int, end: int) -> NDArray[np.float64]:
        """Return the new candles of an answer before which none can be missing, ascending.

        One or two candles far beyond the window do not prove that none are before them: some exchanges add the
        incomplete candle, or one dated in the future, to every page.
        """
        fresh = np.unique(opens[(opens > newest) & (opens < end)])
        near = fresh[fresh < since + self._reach]
        reached: NDArray[np.float64] = fresh if len(fresh) - len(near) >= PROOF else near
        if len(reached) and self._requested is not None and reached[0] < self._requested + self.size:
            # The previous answer lacks this candle, so it covered less than assumed.
            self.size = max(int(reached[0]) - self._requested, self._length)
        self._requested = since if len(reached) else None
        return reached


@dataclass
class Outline:
    """The times at which a market was traded, by coarser candles.

    `read` returns those of the whole range, once, on first use; `length` and `end` are the length of a coarse candle
    and the end of the range, in milliseconds. Some exchanges omit the incomplete coarse candle, so the time shortly
    before the end counts as traded.
    """

    read: Callable[[], Page]
    length: int
    end: int

    @cached_property
    def _candles(self) -> Page:
        return self.read()

    def traded_from(self, moment: int) -> int:
        """Return the first time from `moment` on at which there may have been trades."""
        opens = self._candles[:, 0]
        at = np.searchsorted(opens + self.length, moment, side="right")
        latest = self.end - 2 * self.length
        return max(moment, min(int(opens[at]), latest) if at < len(opens) else latest)

    def kept_from(self, moment: int, has_candles: Callable[[int, int], bool]) -> int:
        """Return the time of the first stored fine candle, found by bisection.

        Many exchanges store fine candles only for some months. If even the latest coarse candle has none, return
        `moment`.
        """
        opens = [int(start) for start in self._candles[:, 0] if start >= moment]
        if not opens or not has_candles(opens[-1], opens[-1] + self.length):
            return moment
        first = bisect_left(opens, True, key=lambda start: has_candles(start, start + self.length))
        return moment if first == 0 else opens[first]

    def unanswered(self, opens: NDArray[np.float64], begin: int) -> NDArray[np.float64]:
        """Return the opens of traded coarse candles without fine candles in `opens`, empty if the outline is unused."""
        if "_candles" not in self.__dict__:
            return opens[:0]
        traded = self._candles[self._candles[:, 5] > 0, 0]
        traded = traded[(traded >= begin) & (traded + self.length <= self.end)]
        empty: NDArray[np.bool_] = np.searchsorted(opens, traded) == np.searchsorted(opens, traded + self.length)
        without: NDArray[np.float64] = traded[empty]
        return without


def _has_candles(fetch: FetchPage, start: int, stop: int, window: int) -> bool:
    """Return whether there is any candle from `start` until before `stop`."""

    def has_any(since: int) -> bool:
        opens = fetch(since)[:, 0]
        return bool(((opens >= start) & (opens < stop)).any())

    return any(has_any(since) for since in range(start, stop, window))
