"""When the next candles of a series fall due, learned from the candles it has.

No exchange calendar is asked: whatever the market, its own recent weeks show the days and hours at which it trades.
Three patterns cover what candles do: slots that repeat every week (intraday, daily, weekly), months, and a fixed step
for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

Nanoseconds = NDArray[np.int64]

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
WEEK = 7 * DAY
MONDAY = 4 * DAY  # 1970-01-05; weeks are counted from it
WINDOW = 12 * WEEK  # what the pattern is learned from; older weeks no longer say how a market trades
WORKDAYS = 5
MOST = 200_000  # times looked at: twelve weeks of minutes, or two days of seconds


class Pattern(Protocol):
    """The rhythm of a series; times are nanoseconds since 1970."""

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return the next `horizon` times after `last`, ascending."""
        ...

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return how many candles were due between each pair of neighbours."""
        ...


@dataclass(frozen=True)
class WeeklySlots:
    """Times that repeat every week: `slots` since Monday 00:00, one candle at most in each `unit` (1: no limit)."""

    slots: Nanoseconds
    unit: int = 1

    def after(self, last: int, horizon: int) -> Nanoseconds:
        """Return the slots that follow the unit of `last`."""
        start = _unit_start(np.int64(last), self.unit) + self.unit - 1
        weeks = np.arange(horizon // len(self.slots) + 2, dtype=np.int64) * WEEK
        base = start - (start - MONDAY) % WEEK
        times = (base + weeks[:, None] + self.slots[None, :]).ravel()
        future: Nanoseconds = times[times > start][:horizon]
        return future

    def between(self, first: int, last: int) -> Nanoseconds:
        """Return the slots from one time to another, both included."""
        monday = first - (first - MONDAY) % WEEK
        weeks = np.arange(monday, last + 1, WEEK, dtype=np.int64)
        times = (weeks[:, None] + self.slots[None, :]).ravel()
        due: Nanoseconds = times[(times >= first) & (times <= last)]
        return due

    def missing(self, before: Nanoseconds, after: Nanoseconds) -> Nanoseconds:
        """Return the number of slots in the units between each pair."""
        start = _unit_start(before, self.unit) + self.unit - 1
        end = _unit_start(after, self.unit) - 1
        return _integers(np.maximum(self._count(end) - self._count(start), 0))

    def _count(self, times: Nanoseconds) -> Nanoseconds:
        weeks, offset = np.divmod(times - MONDAY, WEEK)
        count: Nanoseconds = weeks * len(self.slots) + np.searchsorted(self.slots, offset, side="right")
        return count


@dataclass(frozen=True)
class FixedStep:
    """The same step again and again; `regular` is False where it is only the median of uneven steps."""

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
    """Return the `horizon` times at which the series goes on, strictly ascending and after its last.

    Only the times handed in are looked at, the last twelve weeks of them. A day of the week counts as a trading day
    when it had candles at least every other time, a time of day when it had one on at least half of the recent
    trading days; so holidays, half-days and odd prints do not count; lunch breaks, nights and weekends do. What a
    history of less than a week cannot show is assumed: times of day it never passed are open, workdays are trading
    days, a weekend is one only for a market open round the clock. A series without a rhythm goes on by the median of
    its steps.

    Raises
    ------
    InvalidInput
        With fewer than two different times, which show no step at all.
    """
    times = nanoseconds(timestamps)
    if len(times) < 2:
        raise InvalidInput(
            "too_few_candles",
            text("The next timestamps cannot be known from {count} candle(s).", count=len(times)),
            text("Provide at least two candles at different times."),
        )
    future = learn(timestamps).after(int(times[-1]), horizon)
    return pd.DatetimeIndex(future.astype("datetime64[ns]"))


def gaps(timestamps: pd.DatetimeIndex) -> pd.Series[int]:
    """Return the number of candles missing after each time that has a gap behind it, by the series' own pattern.

    Holidays are gaps, too: the series alone cannot tell them from lost data. Intraday patterns are learned anew every
    twelve weeks, because trading hours and daylight saving change over the years.
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
    found = pd.Series(missing, index=pd.DatetimeIndex(times.astype("datetime64[ns]")))
    return found[found > 0]


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
    if DAY % step and np.mean((times - times[-1]) % step == 0) >= 0.9:  # never the same time of day twice, yet even
        return FixedStep(step)
    if SECOND <= step < DAY:
        slots = _intraday_slots(times, step)
        return WeeklySlots(slots) if len(slots) else FixedStep(_whole_seconds(median), regular=False)
    if step == DAY and np.mean(steps == DAY) >= 0.3:
        active = np.flatnonzero(_trading_weekdays(times, round_the_clock=False))
        if len(active):
            return WeeklySlots(active * DAY + _mode(times[-20:] % DAY), unit=DAY)
    months = _months(median)
    if months:
        return _month_pattern(times[-24:], months)
    if step == WEEK:
        return WeeklySlots(np.array([_mode((times[-20:] - MONDAY) % WEEK)]), unit=WEEK)
    regular = bool(np.mean(steps % step == 0) >= 0.5)
    return FixedStep(step if regular else _whole_seconds(median), regular)


def _intraday_slots(times: Nanoseconds, step: int) -> Nanoseconds:
    """Return the weekly slots of a series with several candles a day; none where no rhythm shows."""
    times = _without_odd_times(_without_small_holes(times, step), step)
    if len(times) < 2:
        return times[:0]
    dates, day = np.unique(times // DAY, return_inverse=True)
    known, of, count = np.unique(times % DAY, return_inverse=True, return_counts=True)
    even = np.mean(np.diff(times) == step) >= 0.3
    recurring = len(dates) >= 3 and np.mean(count[of] >= 0.5 * len(dates)) >= 0.5
    if not (even or recurring) or len(known) > 2 * DAY // step:  # ticks, not candles
        return times[:0]
    grid = np.arange(_mode(times % step) % step, DAY, step, dtype=np.int64)
    clock = np.union1d(known, grid)
    seen = np.zeros((len(dates), len(clock)), dtype=bool)
    seen[day, np.searchsorted(clock, times % DAY)] = True
    at = dates[:, None] * DAY + clock[None, :]
    passed = (at >= times[0]) & (at <= times[-1])
    weight = 0.5 ** ((dates[-1] - dates) / 7.0)  # a week ago counts half
    weekday = _weekday(dates)
    usual = _rate(weight @ seen, weight @ passed)
    trading = _trading_weekdays(times, round_the_clock=bool(np.mean(usual >= 0.5) >= 0.9))
    is_open = np.zeros((7, len(clock)), dtype=bool)
    for w in np.flatnonzero(trading):
        mine = weekday == w
        hits, chances = weight[mine] @ seen[mine], weight[mine] @ passed[mine]
        is_open[w] = (hits + usual) / (chances + 1.0) >= 0.5  # the other days of the week count as one more
        if np.count_nonzero(mine) == 1:
            row = int(np.flatnonzero(mine)[0])
            is_open[w] = np.where(passed[row], seen[row] | _lost(seen, passed, dates, row), usual >= 0.5)
    if np.mean(is_open[weekday[day], np.searchsorted(clock, times % DAY)]) < 0.5:
        return times[:0]
    days, slot = np.nonzero(is_open)
    return days * DAY + clock[slot]


def _lost(seen: NDArray[np.bool_], passed: NDArray[np.bool_], dates: Nanoseconds, row: int) -> NDArray[np.bool_]:
    """Return when a day of the week that was seen once has no candle, while other days mostly have one then.

    Only between its candles, or on a side where the day beside it trades as well: currencies open on Sunday evening.
    """
    others = np.arange(len(dates)) != row
    usual = np.count_nonzero(seen[others], axis=0) > 0.5 * np.count_nonzero(passed[others], axis=0)
    at = np.flatnonzero(seen[row])
    clock = np.arange(seen.shape[1])
    before = row > 0 and dates[row - 1] == dates[row] - 1
    after = row + 1 < len(dates) and dates[row + 1] == dates[row] + 1
    inner = ((clock > at[0]) | before) & ((clock < at[-1]) | after)
    lost: NDArray[np.bool_] = ~seen[row] & passed[row] & usual & inner
    return lost


def _without_small_holes(times: Nanoseconds, step: int) -> Nanoseconds:
    """Fill up to two missing candles where too few days are known to tell a lost candle from a break in trading."""
    if len(np.unique(times // DAY)) >= 3:
        return times
    steps = np.diff(times)
    small = (steps > step) & (steps <= 3 * step) & (steps % step == 0)
    start, count = times[:-1][small], steps[small] // step - 1
    return _integers(np.union1d(times, np.concatenate([start + step, start[count == 2] + 2 * step])))


def _without_odd_times(times: Nanoseconds, step: int) -> Nanoseconds:
    """Leave out single candles that stand apart from all others at a time of day that most days do not have."""
    steps = np.diff(times)
    alone = np.r_[True, steps > step] & np.r_[steps > step, True]
    _, of, count = np.unique(times % DAY, return_inverse=True, return_counts=True)
    rare = count[of] < 0.5 * len(np.unique(times // DAY))
    return _integers(times[~(alone & rare)])


def _trading_weekdays(times: Nanoseconds, *, round_the_clock: bool) -> NDArray[np.bool_]:
    """Return for Monday to Sunday whether the series trades; see `future_timestamps` for what is assumed."""
    dates = np.unique(times // DAY)
    chances = np.bincount(_weekday(np.arange(dates[0], dates[-1] + 1)), minlength=7)
    hits = np.bincount(_weekday(dates), minlength=7)
    workday = np.arange(7) < WORKDAYS
    unknown = (chances == 0) | (
        workday & (chances == 1) & (hits == 0)
    )  # missing once: a holiday, as far as one can know
    assumed = workday | round_the_clock | bool(hits[WORKDAYS:].any())
    return np.where(unknown, assumed, hits >= 0.5 * chances)


def _month_pattern(times: Nanoseconds, months: int) -> Months:
    dates = pd.DatetimeIndex(times).normalize()
    day = int(_mode(dates.day.to_numpy(dtype=np.int64)))
    anchors: tuple[Anchor, ...] = ("start", "end", "business start", "business end", "day")
    periods = dates.to_period("M")
    fits = [float(np.mean(_in_month(periods, anchor, day) == dates.as_unit("ns").asi8)) for anchor in anchors]
    return Months(months, anchors[int(np.argmax(fits))], day, int(_mode(times % DAY)))


def _in_month(periods: pd.PeriodIndex, anchor: Anchor, day: int) -> Nanoseconds:
    """Return midnight of the anchor day in each month."""
    first = periods.to_timestamp(how="start").to_numpy("datetime64[D]")
    following = (periods + 1).to_timestamp(how="start").to_numpy("datetime64[D]")
    last = following - np.timedelta64(1, "D")
    if anchor == "start":
        found = first
    elif anchor == "end":
        found = last
    elif anchor == "business start":
        found = np.busday_offset(first, 0, roll="forward")
    elif anchor == "business end":
        found = np.busday_offset(last, 0, roll="backward")
    else:
        found = np.minimum(first + np.timedelta64(day - 1, "D"), last)
    return found.astype("datetime64[ns]").astype(np.int64)


def _months(step: int) -> int:
    """Return the number of months a step stands for, 0 for none."""
    days = step / DAY
    return next(
        (
            m
            for m, low, high in ((1, 28, 31.5), (3, 89, 92.5), (6, 180, 184.5), (12, 364, 366.5))
            if low <= days <= high
        ),
        0,
    )


def nanoseconds(timestamps: pd.DatetimeIndex) -> Nanoseconds:
    """Return the known times, ascending and each once."""
    times = timestamps[timestamps.notna()].to_numpy("datetime64[ns]").astype(np.int64)
    return times if bool((np.diff(times) > 0).all()) else np.unique(times)


def common_step(times: Nanoseconds) -> int:
    """Return the most frequent step between ascending times, a day where there is none."""
    return _mode(np.diff(times)) if len(times) > 1 else DAY


def _mode(values: Nanoseconds) -> int:
    """Return the most frequent value, the smallest of several."""
    found, count = np.unique(values, return_counts=True)
    return int(found[np.argmax(count)])


def _rate(hits: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return hits per chance, 1 where there was no chance to see."""
    return np.divide(hits, chances, out=np.ones_like(hits), where=chances > 0)


def _weekday(days: Nanoseconds) -> Nanoseconds:
    """Return 0 for Monday to 6 for Sunday, from days since 1970-01-01, a Thursday."""
    return (days + 3) % 7


def _unit_start(times: Nanoseconds | np.int64, unit: int) -> Nanoseconds:
    return _integers(times - (times - MONDAY) % unit)


def _integers(values: object) -> Nanoseconds:
    return np.asarray(values, dtype=np.int64)


def _whole_seconds(step: int) -> int:
    return round(step / SECOND) * SECOND if step >= SECOND else step
