"""Pages of candles from an exchange, asked for one after the other and merged into one series.

A page is an array of float64, one row a candle: open time in milliseconds since 1970, open, high, low, close, volume.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Page = NDArray[np.float64]
FetchPage = Callable[[int], Page]
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")
PROOF = 3  # candles behind a window, which show that an exchange answers with what comes next
PATIENCE = 20  # empty answers at the beginning of a range, before the end of what an exchange keeps is searched


def to_page(rows: Sequence[Sequence[Any]]) -> Page:
    """Return what a client handed over as a page; empty cells become NaN.

    Raises
    ------
    ValueError, TypeError
        If these are no candles.
    """
    page = np.array([row[: len(COLUMNS)] for row in rows], dtype="float64").reshape(-1, len(COLUMNS))
    if not (page[:, 0] > 0).all():
        raise ValueError("a candle without a time")
    return page


def merge(pages: Iterable[Page]) -> Page:
    """Return every candle once, ascending, in whatever order the pages come and however they overlap.

    Of several readings of one candle the last stays: it may have been running when it was first read.
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

    An exchange answers either with the next candles there are, or with those in a window of time only. An empty answer
    of the second kind says nothing about later windows, so each window is requested, except those in which nothing was
    traded by the outline.

    Parameters
    ----------
    fetch
        Returns a page of candles from a time on.
    begin, end, length
        Milliseconds.
    limit
        Most candles in a page.
    on_page
        Called with the number of candles after each page; may raise to cancel.
    outline
        Coarser candles of the same market, read when the first page is empty.
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
    """The time that one answer covers.

    Attributes
    ----------
    size
        Milliseconds, from the time requested on, that an answer certainly covers; made smaller where answers show it.
    """

    def __init__(self, length: int, limit: int) -> None:
        self.size = max(limit - 1, 1) * length  # some exchanges count both ends
        self._reach = (limit + 1) * length
        self._length = length
        self._requested: int | None = None

    def reached(self, opens: NDArray[np.float64], since: int, newest: int, end: int) -> NDArray[np.float64]:
        """Return the new candles of an answer up to which nothing can be missing, ascending.

        One or two candles far behind the window are no proof that nothing lies before them: some exchanges add the
        running candle, or one dated in the future, to every page.
        """
        fresh = np.unique(opens[(opens > newest) & (opens < end)])
        near = fresh[fresh < since + self._reach]
        reached: NDArray[np.float64] = fresh if len(fresh) - len(near) >= PROOF else near
        if len(reached) and self._requested is not None and reached[0] < self._requested + self.size:
            # The answer before this one should have had this candle, so it covered less than assumed.
            self.size = max(int(reached[0]) - self._requested, self._length)
        self._requested = since if len(reached) else None
        return reached


class Outline:
    """When a market was traded, by coarser candles.

    Parameters
    ----------
    read
        Returns the coarser candles of the whole range; called once, when they are first needed.
    length
        Milliseconds that each of them covers.
    end
        Of the range. The running coarse candle is not listed everywhere, so the time shortly before counts as traded.
    """

    def __init__(self, read: Callable[[], Page], length: int, end: int) -> None:
        self._read = read
        self._length = length
        self._end = end

    @cached_property
    def _candles(self) -> Page:
        return self._read()

    def traded_from(self, moment: int) -> int:
        """Return the first time from `moment` on at which something may have been traded."""
        opens = self._candles[:, 0]
        at = np.searchsorted(opens + self._length, moment, side="right")
        latest = self._end - 2 * self._length
        return max(moment, min(int(opens[at]), latest) if at < len(opens) else latest)

    def kept_from(self, moment: int, has_candles: Callable[[int, int], bool]) -> int:
        """Return from when on the exchange answers with fine candles, found by halving.

        Many exchanges keep fine candles for some months only. Where even the latest coarse candle has no fine ones,
        nothing is known and `moment` is returned.
        """
        opens = [int(start) for start in self._candles[:, 0] if start >= moment]
        if not opens or not has_candles(opens[-1], opens[-1] + self._length):
            return moment
        first = bisect_left(opens, True, key=lambda start: has_candles(start, start + self._length))
        return moment if first == 0 else opens[first]

    def unanswered(self, opens: NDArray[np.float64], begin: int) -> NDArray[np.float64]:
        """Return when coarse candles with a volume opened that have no fine candle, out of `opens`, from `begin` on.

        None where the outline was not needed.
        """
        if "_candles" not in self.__dict__:
            return opens[:0]
        traded = self._candles[self._candles[:, 5] > 0, 0]
        traded = traded[(traded >= begin) & (traded + self._length <= self._end)]
        empty: NDArray[np.bool_] = np.searchsorted(opens, traded) == np.searchsorted(opens, traded + self._length)
        without: NDArray[np.float64] = traded[empty]
        return without


def _has_candles(fetch: FetchPage, start: int, stop: int, window: int) -> bool:
    """Return whether there is any candle from `start` until before `stop`."""

    def has_any(since: int) -> bool:
        opens = fetch(since)[:, 0]
        return bool(((opens >= start) & (opens < stop)).any())

    return any(has_any(since) for since in range(start, stop, window))
