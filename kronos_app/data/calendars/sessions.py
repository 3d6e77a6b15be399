"""Learns from the candles of a series when its next candles are due, without an exchange calendar.

The recent weeks of a series show on which days and hours its market trades. There are three patterns: slots that repeat
every week (intraday, daily, weekly), months, and a fixed step for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data.calendars.clock import DAY, SECOND, WEEK, Nanoseconds, index, most_frequent, weekday
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

MONDAY = 4 * DAY  # 1970-01-05; weeks are counted from it
WINDOW = 12 * WEEK  # history to learn from; trading hours may have been different before
WORKDAYS = 5
MOST = 200_000  # times used: twelve weeks of minutes, or two days of seconds


class Pattern(Protocol):
    """The rhythm of a series; times are nanoseconds since 1970."""

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return the next `horizon` times after `last`, ascending."""

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return the number of candles due between each pair of neighbours."""


@dataclass(frozen=True)
class WeeklySlots:
    """Times that repeat every week: `slots` since Monday 00:00, at most one candle per `unit` (1: no limit)."""

    slots: Nanoseconds
    unit: int = 1

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return the slots that follow the unit of `last`."""
        start = _unit_start(np.int64(last), self.unit) + self.unit - 1
        weeks = np.arange(horizon // len(self.slots) + 2, dtype=np.int64) * WEEK
        base = start - (start - MONDAY) % WEEK
        times = (base + weeks[:, None] + self.slots[None, :]).ravel()
        return np.asarray(times[times > start][:horizon])

    def between(self, first: int, last: int) -> Nanoseconds:
        """Return the slots from one time to another, both included."""
        monday = first - (first - MONDAY) % WEEK
        weeks = np.arange(monday, last + 1, WEEK, dtype=np.int64)
        times = (weeks[:, None] + self.slots[None, :]).ravel()
        return np.asarray(times[(times >= first) & (times <= last)])

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return the number of slots in the units between each pair."""
        start = _unit_start(before, self.unit) + self.unit - 1
        end = _unit_start(after, self.unit) - 1
        return _integers(np.maximum(self._count(end) - self._count(start), 0))

    def _count(self, times: Nanoseconds) -> Nanoseconds:
        weeks, offset = np.divmod(times - MONDAY, WEEK)
        return np.asarray(weeks * len(self.slots) + np.searchsorted(self.slots, offset, side="right"))


@dataclass(frozen=True)
class FixedStep:
    """A constant step; `regular` is False where it is only the median of uneven steps."""

    step: int
    regular: bool = True

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return multiples of the step after `last`."""
        return last + self.step * np.arange(1, horizon + 1, dtype=np.int64)

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return the number of whole steps between each pair, none where steps are uneven."""
        if not self.regular:
            return np.zeros_like(before)
        return _integers(np.maximum((after - before + self.step // 2) // self.step - 1, 0))


Anchor = Literal["start", "end", "business start", "business end", "day"]


@dataclass(frozen=True)
class Months:
    """Every `months` months, on the first, last, first business, last business or the same `day` of the month."""

    months: int
    anchor: Anchor
    day: int
    time_of_day: int

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return the anchor days of the months that follow."""
        period = pd.Timestamp(last).to_period("M")
        periods = pd.PeriodIndex([period + self.months * k for k in range(1, horizon + 1)], freq="M")
        return _in_month(periods, self.anchor, self.day) + self.time_of_day

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return the number of months skipped between each pair."""
        first, second = (t.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64) for t in (before, after))
        return _integers(np.maximum((second - first) // self.months - 1, 0))


def future_timestamps(timestamps: pd.DatetimeIndex, horizon: int) -> pd.DatetimeIndex:
    """Return the next `horizon` times of a series, strictly ascending and after its last.

    Only the last twelve weeks of the times are used. A weekday is a trading day when at least every other one had
    candles, a time of day counts when at least half of the recent trading days had one. So holidays, half-days and odd
    prints are ignored; breaks, nights and weekends are respected. What a history of less than a week cannot show is
    assumed: times of day that have not occurred yet are open, Monday to Friday are trading days, weekends only in a
    market that is open round the clock. A series without a rhythm continues by the median of its steps.

    Raises `InvalidInput` with fewer than two different times.
    """
    times = nanoseconds(timestamps)
    if len(times) < 2:
        raise InvalidInput(
            "too_few_candles",
            text("{count} candle(s) are too few to determine the next times.", count=len(times)),
            text("Provide at least two candles at different times."),
        )
    return index(learn(timestamps).after(int(times[-1]), horizon))


def gaps(timestamps: pd.DatetimeIndex) -> pd.Series[int]:
    """Return the number of candles missing after each time that a gap follows, by the series' own pattern.

    Holidays are gaps, too: the series cannot distinguish them from lost data. Intraday patterns are learned separately
    for every twelve weeks, because trading hours and daylight saving change.
    """
    times = nanoseconds(timestamps)
    if len(times) < 3:
        return pd.Series(times[:0], index=pd.DatetimeIndex([]))
    intraday = common_step(times) < DAY
    window = (times - times[0]) // WINDOW if intraday else np.zeros_like(times)
    bounds = [*np.flatnonzero(np.diff(window, prepend=-1)), len(times) - 1]
    missing = np.zeros(len(times), dtype=np.int64)
    for start, end in pairwise(bounds):
        part = times[start : end + 1]
        if len(part) > 1:
            pattern = _learn(part if len(part) > 2 else times)
            missing[start:end] = pattern.missing(part[:-1], part[1:])
    holes = pd.Series(missing, index=index(times))
    return holes[holes > 0]


def learn(timestamps: pd.DatetimeIndex) -> Pattern:
    """Return the pattern of at least two different times."""
    times = nanoseconds(timestamps)
    recent = times[-MOST:]
    return _learn(recent[recent > recent[-1] - WINDOW] if common_step(recent) <= DAY else recent)


def _learn(times: Nanoseconds) -> Pattern:
    if len(times) < 2:
        return FixedStep(DAY, regular=False)
    step = common_step(times)
    steps = np.diff(times)
    median = int(np.median(steps))
    if DAY % step and np.mean((times - times[-1]) % step == 0) >= 0.9:  # never the same time of day, but even
        return FixedStep(step)
    if SECOND <= step < DAY:
        slots = _intraday_slots(times, step)
        return WeeklySlots(slots) if len(slots) else FixedStep(_whole_seconds(median), regular=False)
    if step == DAY and np.mean(steps == DAY) >= 0.3:
        active = np.flatnonzero(_trading_weekdays(times, round_the_clock=False))
        if len(active):
            return WeeklySlots(active * DAY + most_frequent(times[-20:] % DAY), unit=DAY)
    months = _months(median)
    if months:
        return _month_pattern(times[-24:], months)
    if step == WEEK:
        return WeeklySlots(np.array([most_frequent((times[-20:] - MONDAY) % WEEK)]), unit=WEEK)
    regular = bool(np.mean(steps % step == 0) >= 0.5)
    return FixedStep(step if regular else _whole_seconds(median), regular)


def _intraday_slots(times: Nanoseconds, step: int) -> Nanoseconds:
    """Return the weekly slots of an intraday series, empty where it has no rhythm."""
    times = _without_odd_times(_without_small_holes(times, step), step)
    if len(times) < 2:
        return times[:0]
    dates, day = np.unique(times // DAY, return_inverse=True)
    of_day, which, count = np.unique(times % DAY, return_inverse=True, return_counts=True)
    even = np.mean(np.diff(times) == step) >= 0.3
    recurring = len(dates) >= 3 and np.mean(count[which] >= 0.5 * len(dates)) >= 0.5
    if not (even or recurring) or len(of_day) > 2 * DAY // step:  # ticks, not candles
        return times[:0]
    grid = np.arange(most_frequent(times % step) % step, DAY, step, dtype=np.int64)
    clock = np.union1d(of_day, grid)
    seen = np.zeros((len(dates), len(clock)), dtype=bool)
    seen[day, np.searchsorted(clock, times % DAY)] = True
    at = dates[:, None] * DAY + clock[None, :]
    passed = (at >= times[0]) & (at <= times[-1])
    weight = 0.5 ** ((dates[-1] - dates) / 7.0)  # a week ago counts half
    weekdays = weekday(dates * DAY)
    usual = _rate(weight @ seen, weight @ passed)
    trading = _trading_weekdays(times, round_the_clock=bool(np.mean(usual >= 0.5) >= 0.9))
    is_open = np.zeros((7, len(clock)), dtype=bool)
    for w in np.flatnonzero(trading):
        mine = weekdays == w
        hits, chances = weight[mine] @ seen[mine], weight[mine] @ passed[mine]
        is_open[w] = (hits + usual) / (chances + 1.0) >= 0.5  # all other weekdays together count as one more
        if np.count_nonzero(mine) == 1:
            row = int(np.flatnonzero(mine)[0])
            is_open[w] = np.where(passed[row], seen[row] | _lost(seen, passed, dates, row), usual >= 0.5)
    if np.mean(is_open[weekdays[day], np.searchsorted(clock, times % DAY)]) < 0.5:
        return times[:0]
    days, slot = np.nonzero(is_open)
    return days * DAY + clock[slot]


def _lost(seen: NDArray[np.bool_], passed: NDArray[np.bool_], dates: Nanoseconds, row: int) -> NDArray[np.bool_]:
    """Return the times without a candle of a weekday that was seen once, at which other days mostly have one.

    Only between its candles, or on a side where the adjacent day trades as well: currencies open on Sunday evening.
    """
    others = np.arange(len(dates)) != row
    usual = np.count_nonzero(seen[others], axis=0) > 0.5 * np.count_nonzero(passed[others], axis=0)
    at = np.flatnonzero(seen[row])
    clock = np.arange(seen.shape[1])
    before = row > 0 and dates[row - 1] == dates[row] - 1
    after = row + 1 < len(dates) and dates[row + 1] == dates[row] + 1
    inner = ((clock > at[0]) | before) & ((clock < at[-1]) | after)
    return np.asarray(~seen[row] & passed[row] & usual & inner)


def _without_small_holes(times: Nanoseconds, step: int) -> Nanoseconds:
    """Fill up to two missing candles where too few days are known to distinguish lost candles from breaks."""
    if len(np.unique(times // DAY)) >= 3:
        return times
    steps = np.diff(times)
    small = (steps > step) & (steps <= 3 * step) & (steps % step == 0)
    start, count = times[:-1][small], steps[small] // step - 1
    return _integers(np.union1d(times, np.concatenate([start + step, start[count == 2] + 2 * step])))


def _without_odd_times(times: Nanoseconds, step: int) -> Nanoseconds:
    """Remove isolated candles at a time of day that most days do not have."""
    steps = np.diff(times)
    alone = np.r_[True, steps > step] & np.r_[steps > step, True]
    _, which, count = np.unique(times % DAY, return_inverse=True, return_counts=True)
    rare = count[which] < 0.5 * len(np.unique(times // DAY))
    return _integers(times[~(alone & rare)])


def _trading_weekdays(times: Nanoseconds, *, round_the_clock: bool) -> NDArray[np.bool_]:
    """Return for Monday to Sunday whether the series trades; see `future_timestamps` for the assumptions."""
    dates = np.unique(times // DAY)
    chances = np.bincount(weekday(np.arange(dates[0], dates[-1] + 1) * DAY), minlength=7)
    hits = np.bincount(weekday(dates * DAY), minlength=7)
    workday = np.arange(7) < WORKDAYS
    # A workday that is missing once may have been a holiday.
    unknown = (chances == 0) | (workday & (chances == 1) & (hits == 0))
    assumed = workday | round_the_clock | bool(hits[WORKDAYS:].any())
    return np.where(unknown, assumed, hits >= 0.5 * chances)


def _month_pattern(times: Nanoseconds, months: int) -> Months:
    dates = pd.DatetimeIndex(times).normalize()
    day = int(most_frequent(dates.day.to_numpy(dtype=np.int64)))
    anchors: tuple[Anchor, ...] = ("start", "end", "business start", "business end", "day")
    periods = dates.to_period("M")
    fits = [float(np.mean(_in_month(periods, anchor, day) == dates.as_unit("ns").asi8)) for anchor in anchors]
    return Months(months, anchors[int(np.argmax(fits))], day, int(most_frequent(times % DAY)))


def _in_month(periods: pd.PeriodIndex, anchor: Anchor, day: int) -> Nanoseconds:
    """Return midnight of the anchor day in each month."""
    first = periods.to_timestamp(how="start").to_numpy("datetime64[D]")
    following = (periods + 1).to_timestamp(how="start").to_numpy("datetime64[D]")
    last = following - np.timedelta64(1, "D")
    if anchor == "start":
        days = first
    elif anchor == "end":
        days = last
    elif anchor == "business start":
        days = np.busday_offset(first, 0, roll="forward")
    elif anchor == "business end":
        days = np.busday_offset(last, 0, roll="backward")
    else:
        days = np.minimum(first + np.timedelta64(day - 1, "D"), last)
    return days.astype("datetime64[ns]").astype(np.int64)


def _months(step: int) -> int:
    """Return the number of months of a step, 0 where it is none."""
    ranges = ((1, 28, 31.5), (3, 89, 92.5), (6, 180, 184.5), (12, 364, 366.5))
    return next((months for months, low, high in ranges if low <= step / DAY <= high), 0)


def nanoseconds(timestamps: pd.DatetimeIndex) -> Nanoseconds:
    """Return the known times, ascending, each once."""
    times = timestamps[timestamps.notna()].to_numpy("datetime64[ns]").astype(np.int64)
    return times if bool((np.diff(times) > 0).all()) else np.unique(times)


def common_step(times: Nanoseconds) -> int:
    """Return the most frequent step between ascending times, a day if there is none."""
    return most_frequent(np.diff(times)) if len(times) > 1 else DAY


def _rate(hits: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return hits per chance, 1 where there was no chance."""
    return np.divide(hits, chances, out=np.ones_like(hits), where=chances > 0)


def _unit_start(times: Nanoseconds | np.int64, unit: int) -> Nanoseconds:
    return _integers(times - (times - MONDAY) % unit)


def _integers(values: object) -> Nanoseconds:
    return np.asarray(values, dtype=np.int64)


def _whole_seconds(step: int) -> int:
    return round(step / SECOND) * SECOND if step >= SECOND else step
