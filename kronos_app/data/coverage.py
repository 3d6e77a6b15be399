"""Ranges of time that a series covers: sorted, disjoint, half-open, in nanoseconds UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pandas as pd

Range = tuple[int, int]
"""Start (included) and end (excluded)."""

EARLIEST = -(2**62)
"""Start of a range that reaches back to the earliest candle."""


def union(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges sorted, adjacent and overlapping ones joined.

    >>> union([(5, 7), (0, 2), (2, 3)])
    [(0, 3), (5, 7)]
    """
    joined: list[Range] = []
    for start, end in sorted(ranges):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def missing(covered: Sequence[Range], whole: Range) -> list[Range]:
    """Return the parts of `whole` that are not covered.

    >>> missing([(2, 4), (6, 8)], (0, 10))
    [(0, 2), (4, 6), (8, 10)]
    """
    place, end = whole
    parts: list[Range] = []
    for start, stop in covered:
        if stop <= place:
            continue
        if start >= end:
            break
        if start > place:
            parts.append((place, start))
        place = max(place, stop)
    if place < end:
        parts.append((place, end))
    return parts


def to_ns(moment: datetime) -> int:
    """Return an aware time as nanoseconds since 1970."""
    return int(pd.Timestamp(moment).tz_convert("UTC").as_unit("ns").value)


def to_time(moment: int) -> datetime | None:
    """Return the time as in a `FetchRequest`, None for the earliest."""
    return None if moment <= EARLIEST else pd.Timestamp(moment, unit="ns", tz=UTC).to_pydatetime(warn=False)
