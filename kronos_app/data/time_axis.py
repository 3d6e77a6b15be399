"""Findings about the times of a series, computed once for all series with the same times."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from kronos_app.data import calendars
from kronos_app.data.calendars.clock import Nanoseconds
from kronos_app.data.calendars.sessions import nanoseconds
from kronos_app.data.candle_frame import most_frequent_step
from kronos_app.data.checks.findings import MOST_MARKS, Mark
from kronos_app.data.checks.holes import unclear_holes
from kronos_app.data.checks.runs import Run
from kronos_app.data.checks.suspects import FEWEST, is_unfinished
from kronos_app.data.checks.times import other_intervals


class TimeAxis:
    """The known times of a series in the order of the file: nanoseconds by the clock of `timezone`, read at `now`."""

    def __init__(self, times: Nanoseconds, timezone: str | None, calendar: str | None, now: pd.Timestamp) -> None:
        self.timezone = timezone
        self.calendar = calendar
        self.now = now
        self.times = pd.DatetimeIndex(times.view("datetime64[ns]"))

    @cached_property
    def ordered(self) -> pd.DatetimeIndex:
        """Return the times, ascending."""
        return self.times if self.times.is_monotonic_increasing else self.times.sort_values()

    @cached_property
    def interval(self) -> pd.Timedelta:
        """Return the most frequent step, zero if there is none."""
        return most_frequent_step(self.ordered)

    @cached_property
    def holes(self) -> pd.Series[int]:
        """Return the number of candles missing after each time that a gap follows."""
        return calendars.gaps(self.times, self.timezone, self.calendar)

    @cached_property
    def missing(self) -> int:
        """Return the number of missing candles."""
        return int(self.holes.sum())

    @cached_property
    def longest(self) -> tuple[int, str]:
        """Return the size of the longest gap in candles and the time before it; there must be a gap."""
        return int(self.holes.max()), str(self.holes.idxmax())

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Return the places of the gaps and of the unclear holes."""
        return (*self._marks(self.holes), *self._marks(self.unclear))

    def _marks(self, holes: pd.Series[int]) -> list[Mark]:
        """Return the widest holes, from the candle before to the candle after."""
        if holes.empty:
            return []
        widest = holes.nlargest(MOST_MARKS).sort_index()
        after = np.minimum(self.ordered.searchsorted(widest.index, side="right"), len(self.ordered) - 1)
        return [Mark("gaps", first, last) for first, last in zip(widest.index, self.ordered[after], strict=True)]

    @cached_property
    def follows(self) -> bool:
        """Return whether the times follow their calendar."""
        return calendars.share(self.times, self.timezone, self.calendar) is not None

    @cached_property
    def unclear(self) -> pd.Series[int]:
        """Return the holes that may be breaks in trading: neither calendar nor series tells."""
        unclear = unclear_holes(nanoseconds(self.times))
        return unclear.iloc[:0] if len(unclear) and self.follows else unclear

    @cached_property
    def mixed(self) -> list[Run]:
        """Return the parts with another interval; the times must ascend."""
        times = nanoseconds(self.times)
        return other_intervals(times) if len(times) >= FEWEST else []

    @cached_property
    def unfinished(self) -> bool:
        """Return whether the last candle was incomplete; the times must ascend."""
        times = nanoseconds(self.times)
        return is_unfinished(times, timezone=self.timezone, calendar=self.calendar, now=self.now)


class TimeAxes:
    """The axes of many series; series with equal times share one."""

    def __init__(self, now: pd.Timestamp | None = None) -> None:
        self._now = pd.Timestamp.now("UTC") if now is None else now
        self._axes: dict[tuple[bytes, str | None, str | None], TimeAxis] = {}

    def of(self, times: Nanoseconds, timezone: str | None, calendar: str | None) -> TimeAxis:
        """Return the axis of `times`."""
        key = (times.tobytes(), timezone, calendar)
        axis = self._axes.get(key)
        if axis is None:
            axis = self._axes[key] = TimeAxis(times, timezone, calendar, self._now)
        return axis
