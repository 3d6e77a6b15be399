"""Coarser candles out of finer ones, session by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data import calendars
from kronos_app.data.calendars.clock import convert
from kronos_app.data.calendars.clocks import rhythm_zone
from kronos_app.data.calendars.sessions import (
    DAY,
    MONDAY,
    SECOND,
    WEEK,
    WINDOW,
    Nanoseconds,
    Pattern,
    WeeklySlots,
    common_step,
    learn,
    nanoseconds,
)
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.checks.fixes import Step
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
MONTH = 30 * DAY  # for the order of intervals alone
INTERVALS: Mapping[str, int] = {
    "5min": 5 * MINUTE,
    "15min": 15 * MINUTE,
    "30min": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "1d": DAY,
    "1w": WEEK,
    "1mo": MONTH,
}
ROUND = 30 * MINUTE  # sessions open and close on the hour or half past
FEWEST_DAYS = 14 * DAY  # that show how a market trades
LONGEST_CLOSE = 4 * DAY  # of a weekend and a holiday
MOST_LOOKED_AT = 1_000_000  # candles before the first that may have been due


@dataclass(frozen=True)
class Resampled:
    """The coarser candles and what to say about them."""

    candles: CandleFrame
    step: Step


def choices(interval: pd.Timedelta) -> list[str]:
    """Return the coarser intervals that candles of an `interval` can be brought to."""
    step = interval.value
    return [name for name, target in INTERVALS.items() if 0 < step < target and (target >= DAY or target % step == 0)]


def resample(candles: CandleFrame, target: str) -> Resampled:
    """Return candles of another interval: first open, highest high, lowest low, last close, volume and amount summed.

    Within the day an interval counts from where a session opens, so no candle spans a night or a lunch break; round
    the clock it counts from midnight. A day is a trading day: what opens in the evening belongs to the day after it.
    Weeks begin on Monday. Sessions are learned from the candles, every twelve weeks anew, by the clock that their
    market keeps, so candles in UTC are divided alike before and after a change of clocks. A first or last candle that
    would not be complete is left out. Series that name a candle by its end keep doing so within the day.

    Raises
    ------
    InvalidInput
        If the interval is unknown, not coarser or no multiple of that of the candles, or nothing complete is left.
    """
    names = choices(candles.interval)
    if target not in names:
        raise InvalidInput(
            "bad_interval",
            text("“{name}” cannot be brought to the interval {target}.", name=candles.name, target=str(target)[:20]),
            text("Choose one of {choices}.", choices=", ".join(names))
            if names
            else text("Its candles are as coarse as they get, or have no interval."),
        )
    times = nanoseconds(candles.timestamps)
    clock = _Clock.of(times, candles.timezone)
    labels = _labels(times, target, clock)
    keep = np.ones(len(times), dtype=bool)
    first = _starts_late(times, labels, target, clock)
    last = _goes_on(candles, labels, target, clock)
    keep &= ~((labels == labels[0]) & first) & ~((labels == labels[-1]) & last)
    if not keep.any():
        raise InvalidInput(
            "nothing_complete",
            text("“{name}” has not one complete candle of {target}.", name=candles.name, target=target),
            text("Choose a finer interval, or bring more candles."),
        )
    frame = _grouped(candles.frame[keep], labels[keep])
    message = text(
        "{rows} candles were brought together to {count} of {target}.", rows=len(times), count=len(frame), target=target
    )
    if first:
        message = text("{one} {other}", one=message, other=text("The first, not complete, was left out."))
    if last:
        message = text("{one} {other}", one=message, other=text("The last, not complete, was left out."))
    made = replace(candles, frame=frame, about=replace(candles.about, interval=target))
    return Resampled(made, Step("resample", len(frame), message))


def _grouped(frame: pd.DataFrame, labels: Nanoseconds) -> pd.DataFrame:
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "amount": "sum"}
    grouped = frame.groupby(labels, sort=True).agg({name: how[name] for name in frame if name in how})
    grouped.insert(0, "timestamp", pd.DatetimeIndex(grouped.index.to_numpy().astype("datetime64[ns]")))
    return grouped.reset_index(drop=True)


@dataclass(frozen=True)
class _Clock:
    """The clock of a series and that of its market, `zone`, None where they are the same."""

    own: str
    zone: str | None

    @classmethod
    def of(cls, times: Nanoseconds, timezone: str | None) -> _Clock:
        return cls(timezone or "UTC", rhythm_zone(times, timezone))

    def to_local(self, times: Nanoseconds) -> Nanoseconds:
        return times if self.zone is None else convert(times, self.own, self.zone)

    def to_own(self, times: Nanoseconds) -> Nanoseconds:
        return times if self.zone is None else convert(times, self.zone, self.own)


def _labels(times: Nanoseconds, target: str, clock: _Clock) -> Nanoseconds:
    """Return the time of the coarser candle that each candle belongs to."""
    length = INTERVALS[target]
    local = clock.to_local(times)
    if length < DAY:
        inside = [_within_day(part, whole, length) for part, whole in _parts(local)]
        # Round the clock candles count from midnight by the clock of the series.
        return np.concatenate([
            own - own % length if labels is None else clock.to_own(labels)
            for own, labels in zip(_split(times, local), inside, strict=True)
        ])  # fmt: skip
    step = common_step(times)
    days = local - local % DAY
    if step < DAY:
        days = np.concatenate([_trading_days(part, whole) for part, whole in _parts(local)])
    if target == "1w":
        return days - (days - MONDAY) % WEEK
    if target == "1mo":
        return np.asarray(days.astype("datetime64[ns]").astype("datetime64[M]").astype("datetime64[ns]").astype("i8"))
    return days


def _split(times: Nanoseconds, local: Nanoseconds) -> list[Nanoseconds]:
    """Return the times in the stretches into which `_parts` divides them by the local clock."""
    ends = np.cumsum([len(part) for part, _ in _parts(local)])
    return np.split(times, ends[:-1])


def _parts(times: Nanoseconds) -> list[tuple[Nanoseconds, Nanoseconds]]:
    """Return stretches of twelve weeks, each with the times to learn its sessions from."""
    window = (times[-1] - times) // WINDOW
    bounds = [0, *(np.flatnonzero(np.diff(window)) + 1), len(times)]
    parts = [times[low:high] for low, high in pairwise(bounds)]
    short = len(parts) > 1 and parts[0][-1] - parts[0][0] < FEWEST_DAYS
    return [(part, parts[1] if short and number == 0 else part) for number, part in enumerate(parts)]


def _pattern(whole: Nanoseconds) -> Pattern:
    return learn(pd.DatetimeIndex(whole.astype("datetime64[ns]")))


def _stretches(whole: Nanoseconds) -> tuple[Nanoseconds, Nanoseconds]:
    """Return when in the week trading opens, and for how long; nothing where it never stops or has no rhythm."""
    none = np.zeros(0, dtype=np.int64)
    pattern, step = _pattern(whole), common_step(whole)
    if not isinstance(pattern, WeeklySlots) or pattern.unit != 1:
        return none, none
    slots = pattern.slots
    pause = (slots - np.roll(slots, 1)) % WEEK != step
    if not pause.any():
        return none, none
    at = np.flatnonzero(pause)
    lengths = np.diff(np.r_[at, at[0] + len(slots)]) * step
    return slots[at], np.asarray(lengths, dtype=np.int64)


def _within_day(times: Nanoseconds, whole: Nanoseconds, length: int) -> Nanoseconds | None:
    """Return the labels counted from the opening of each session, None where trading goes on round the clock."""
    opens, lengths = _stretches(whole)
    if not len(opens) or (lengths > DAY).any():
        return None
    offset = (times - MONDAY) % WEEK
    opened = times - (offset - opens[np.searchsorted(opens, offset, side="right") - 1]) % WEEK
    # A day that is not in the pattern has nothing to count from but the clock.
    start = np.where(times - opened < DAY, opened, times - times % DAY)
    label = start + (times - start) // length * length
    step = common_step(whole)
    by_end = bool((opens % ROUND != 0).all() and ((opens - step) % ROUND == 0).all())
    return np.asarray(label + (length - step if by_end else 0))


def _trading_days(times: Nanoseconds, whole: Nanoseconds) -> Nanoseconds:
    """Return midnight of the trading day of each candle."""
    opens, lengths = _stretches(whole)
    overnight = (opens % DAY + lengths > DAY) & (opens % DAY != 0)
    if not overnight.any():
        return times - times % DAY
    opening = int(opens[overnight][0] % DAY)
    shift = DAY - opening if opening >= DAY // 2 else -opening
    days = (times + shift) - (times + shift) % DAY
    # Friday's evening session belongs to Monday, unless Saturday trades by day.
    by_day = np.unique((opens[~overnight] // DAY).astype(np.int64))
    if len(by_day):
        ahead = np.array([min((by_day - weekday) % 7) for weekday in range(7)], dtype=np.int64)
        days = days + ahead[(days - MONDAY) // DAY % 7] * DAY
    return np.asarray(days)


def _starts_late(times: Nanoseconds, labels: Nanoseconds, target: str, clock: _Clock) -> bool:
    """Return whether candles of the first label were due before the first candle there is."""
    step = common_step(times)
    count = min((INTERVALS[target] + LONGEST_CLOSE) // step, MOST_LOOKED_AT)
    local = clock.to_local(times)
    earlier = local[0] - step * np.arange(count, 0, -1, dtype=np.int64)
    earlier = clock.to_own(earlier[_due(earlier, _pattern(_parts(local)[0][1]))][-2:])
    joined = np.r_[earlier, times]
    due = int((_labels(joined, target, clock)[: len(earlier)] == labels[0]).sum())
    # The learned pattern knows no holidays: the first of a month or a Monday may be one.
    return due > (1 if INTERVALS[target] > DAY else 0)


def _due(times: Nanoseconds, pattern: Pattern) -> NDArray[np.bool_]:
    """Return at which of these times a candle falls due by a weekly pattern; everywhere by any other."""
    if not isinstance(pattern, WeeklySlots):
        return np.ones(len(times), dtype=bool)
    if pattern.unit == DAY:
        return np.isin((times - MONDAY) % WEEK // DAY, pattern.slots // DAY)
    return np.isin((times - MONDAY) % WEEK, pattern.slots)


def _goes_on(candles: CandleFrame, labels: Nanoseconds, target: str, clock: _Clock) -> bool:
    """Return whether the candle that falls due next still belongs to the last label."""
    following = calendars.future_timestamps(candles.timestamps, 1, candles.timezone, candles.about.calendar)
    joined = np.r_[nanoseconds(candles.timestamps), nanoseconds(following)]
    return bool(_labels(joined, target, clock)[-1] == labels[-1])
