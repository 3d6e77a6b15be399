"""Plans which ranges to fetch for a stored series, and which range an answer covers. Times are nanoseconds UTC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.coverage import EARLIEST, Range, missing, to_ns, to_time
from kronos_app.data.draft import Draft
from kronos_app.data.source import FetchRequest
from kronos_app.store.series import SeriesInfo

REREAD = 10  # stored candles next to a missing range that are fetched again, to detect revisions
# A range counts as covered, with candles or without, after this time and this number of candles.
SETTLED, SETTLED_CANDLES = timedelta(days=3), 3
DAILY = pd.Timedelta(hours=20)  # candles at least this long are dated by the day of their exchange

Edge = Callable[[int, int], int | None]
"""Returns the time of the stored candle `count` places before (negative) or after a moment, None if there is none."""


def requested_range(request: FetchRequest, now: datetime) -> Range:
    """Return the range of a request, which ends now at the latest."""
    end = to_ns(now) if request.end is None else min(to_ns(request.end), to_ns(now))
    return EARLIEST if request.start is None else to_ns(request.start), end


def plan_ranges(info: SeriesInfo | None, request: FetchRequest, now: datetime, edge: Edge) -> list[Range]:
    """Return the ranges to fetch for a request: what is not covered yet, with stored candles to compare."""
    start, end = requested_range(request, now)
    if info is None:
        return [(start, max(end, start + 1))]
    covered = info.state.covered
    if request.start is None and info.state.complete:
        start = min(covered[0][0], end)
    return [wide for gap in missing(covered, (start, end)) for wide in _with_stored_candles(gap, covered, edge)]


def _with_stored_candles(gap: Range, covered: Sequence[Range], edge: Edge) -> list[Range]:
    """Return a gap extended by stored candles beside it, or with the nearest stored candles as a range before it."""
    start, end = gap
    if any(stop == start for _, stop in covered):
        start = _or(edge(start, -REREAD), start)
    if any(begin == end for begin, _ in covered):
        end = max(end, _or(edge(end, REREAD + 1), end))
    if (start, end) != gap:
        return [(start, end)]
    earlier = [stop for _, stop in covered if stop <= start]
    if earlier and (first := edge(earlier[-1], -REREAD)) is not None:
        return [(first, earlier[-1]), gap]
    later = [begin for begin, _ in covered if begin >= end]
    if later and (last := edge(later[0], REREAD)) is not None:
        return [(later[0], last + 1), gap]
    return [gap]


def _or(moment: int | None, default: int) -> int:
    return default if moment is None else moment


def plan_requests(request: FetchRequest, range_: Range, now: datetime) -> list[FetchRequest]:
    """Return the requests to try for a range: with stored candles, then without if the source may not reach them."""
    start, end = range_
    latest = request.end is None and end >= to_ns(now)
    first = replace(request, start=to_time(start), end=None if latest else to_time(end))
    return [first, replace(first, start=request.start)] if latest and request.start != first.start else [first]


def covered_range(request: FetchRequest, draft: Draft, candles: CandleFrame, now: datetime) -> Range:
    """Return the range about which an answer is complete."""
    first, last = (int(candles.utc.as_unit("ns").asi8[place]) for place in (0, -1))
    cut = any(finding.code == "range_cut" for finding in draft.findings)
    start = first if request.start is None and cut else EARLIEST if request.start is None else to_ns(request.start)
    settled = to_ns(now - max(SETTLED, SETTLED_CANDLES * candles.interval.to_pytimedelta()))
    end = settled if request.end is None else min(to_ns(request.end), settled)
    return min(start, first), max(last + 1, end)


def local_bound(moment: datetime | None, info: SeriesInfo) -> datetime | None:
    """Return the bound of a range for reading a series: daily candles are dated by their exchange's day."""
    if moment is None or info.timezone is None or info.rows < 2:
        return moment
    if (info.last - info.first) / (info.rows - 1) < DAILY:
        return moment
    date = pd.Timestamp(moment).tz_convert("UTC").tz_localize(None)
    local = date.tz_localize(info.timezone, ambiguous=True, nonexistent="shift_forward").to_pydatetime(warn=False)
    # East of Greenwich a day starts before its date in UTC; west of it a candle's own time must be a valid bound, too.
    return min(local, moment)
