"""What the times of a series say, whatever its values are; worked out once for all series of the same times."""

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
    """Times that are known, in the order of the file.

    Parameters
    ----------
    times
        Nanoseconds by the clock of `timezone`.
    now
        When they were read, with zone.
    """

    def __init__(self, times: Nanoseconds, timezone: str | None, calendar: str | None, now: pd.Timestamp) -> None:
        self.timezone = timezone
        self.calendar = calendar
        self.now = now
        self.times = pd.DatetimeIndex(times.view("datetime64[ns]"))

    @cached_property
    def ordered(self) -> pd.DatetimeIndex:
        """Return the times in their order."""
        return self.times if self.times.is_monotonic_increasing else self.times.sort_values()

    @cached_property
    def interval(self) -> pd.Timedelta:
        """Return the most frequent step; zero where there is none."""
        return most_frequent_step(self.ordered)

    @cached_property
    def holes(self) -> pd.Series[int]:
        """Return how many candles are missing after each time that has a gap behind it."""
        return calendars.gaps(self.times, self.timezone, self.calendar)

    @cached_property
    def missing(self) -> int:
        """Return how many candles are missing in all."""
        return int(self.holes.sum())

    @cached_property
    def longest(self) -> tuple[int, str]:
        """Return how many candles are missing in the longest gap, and the time before it; there must be a gap."""
        return int(self.holes.max()), str(self.holes.idxmax())

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Return where the gaps and the unclear holes are."""
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
        """Return the holes of which neither calendar nor series says whether they are breaks in trading."""
        unclear = unclear_holes(nanoseconds(self.times))
        return unclear.iloc[:0] if len(unclear) and self.follows else unclear

    @cached_property
    def mixed(self) -> list[Run]:
        """Return the stretches of another interval; the times must ascend."""
        times = nanoseconds(self.times)
        return other_intervals(times) if len(times) >= FEWEST else []

    @cached_property
    def unfinished(self) -> bool:
        """Return whether the last candle had not ended; the times must ascend."""
        times = nanoseconds(self.times)
        return is_unfinished(times, timezone=self.timezone, calendar=self.calendar, now=self.now)


class TimeAxes:
    """The axes of many series; equal ones are one, so that what they say is worked out once."""

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
