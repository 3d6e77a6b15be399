"""Pages of candles from an exchange, asked for one after the other and merged into one series.

A page is an array of float64, one row a candle: open time in milliseconds since 1970, open, high, low, close, volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Page = NDArray[np.float64]
COLUMNS = ("timestamp", "open", "high", "low", "close", "volume")


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
    fetch: Callable[[int], Page],
    begin: int,
    end: int,
    *,
    length: int,
    limit: int,
    on_page: Callable[[int], None],
) -> Page:
    """Return the candles from `begin` until before `end`.

    Parameters
    ----------
    fetch
        Returns a page of candles from a time on: the next there are, or those of the next `limit` lengths only.
    begin, end, length
        Milliseconds.
    limit
        Most candles in a page.
    on_page
        Called with the number of candles after each page; may raise to cancel.
    """
    pages: list[Page] = []
    since, newest, count = begin, begin - 1, 0
    while since < end:
        page = fetch(since)
        later = page[page[:, 0] > newest, 0]
        if not len(later):
            found = _after_gap(fetch, since, end, length * limit)
            if found is None:
                break
            since = found
            continue
        pages.append(page)
        newest = int(later.max())
        # Not a length further: a month has no length. A candle that comes twice is merged.
        since = newest + 1
        count += len(np.unique(later[later < end]))
        on_page(count)
        if newest + length >= end:
            break
    rows = merge(pages)
    return rows[(rows[:, 0] >= begin) & (rows[:, 0] < end)]


def _after_gap(fetch: Callable[[int], Page], since: int, end: int, window: int) -> int | None:
    """Return from when on there are candles again; None for no more before `end`.

    Some exchanges answer for one page's length only, so that an empty page may be the years before an instrument was
    listed. Steps that double leap over them, halving finds the way back.
    """

    def is_empty(start: int) -> bool:
        return not (fetch(start)[:, 0] >= start).any()

    empty, step = since, window
    while True:
        probe = min(empty + step, end - window)
        if probe <= empty:
            # Less than a page is left, and only its part beyond the empty window is unknown.
            last = empty + window
            return None if last >= end or is_empty(last) else last
        if not is_empty(probe):
            break
        empty, step = probe, step * 2
    found = probe
    while found - empty > window:
        middle = (empty + found) // 2
        if is_empty(middle):
            empty = middle
        else:
            found = middle
    return found
