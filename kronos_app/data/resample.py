"""Resamples candles to a coarser interval, session by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data import calendars
from kronos_app.data.calendars.clock import DAY, HOUR, SECOND, WEEK, Nanoseconds, convert, index
from kronos_app.data.calendars.clocks import rhythm_zone
from kronos_app.data.calendars.sessions import MONDAY, WINDOW, Pattern, WeeklySlots, common_step, learn, nanoseconds
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.checks.fixes import Step
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

MINUTE = 60 * SECOND
MONTH = 30 * DAY  # only for the order of intervals
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
ROUND = 30 * MINUTE  # sessions open and close on the hour or half hour
FEWEST_DAYS = 14 * DAY  # history that shows the sessions of a market
LONGEST_CLOSE = 4 * DAY  # a weekend and a holiday
MOST_EARLIER = 1_000_000  # times before the first candle that are checked


@dataclass(frozen=True)
class Resampled:
    """The coarser candles, and the step that describes the change."""

    candles: CandleFrame
    step: Step


def choices(interval: pd.Timedelta) -> list[str]:
    """Return the coarser intervals to which candles of an `interval` can be resampled."""
    step = interval.value
    return [name for name, target in INTERVALS.items() if 0 < step < target and (target >= DAY or target % step == 0)]


def resample(candles: CandleFrame, target: str) -> Resampled:
    """Return candles of another interval: first open, highest high, lowest low, last close, volume and amount summed.

    Intraday intervals are counted from the open of each session, so no candle spans a night or a lunch break; in
    markets without sessions from midnight. A day is a trading day: an evening session belongs to the next day.
    Weeks begin on Monday. Sessions are learned from the candles for every twelve weeks, by their market's clock, so
    candles in UTC are divided alike before and after a clock change. An incomplete first or last candle is left out.
    Series that date a candle by its end continue to do so within the day.

    Raises `InvalidInput` for an unknown interval, one that is not coarser or not a multiple, or without a complete
    candle.
    """
    names = choices(candles.interval)
    if target not in names:
        raise InvalidInput(
            "bad_interval",
            text("“{name}” cannot be resampled to {target}.", name=candles.name, target=str(target)[:20]),
            text("Choose one of {choices}.", choices=", ".join(names))
            if names
            else text("No coarser interval exists, or its candles have no interval."),
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
            text("“{name}” has no complete candle of {target}.", name=candles.name, target=target),
            text("Choose a finer interval, or use more candles."),
        )
    frame = _grouped(candles.frame[keep], labels[keep])
    message = text(
        "{rows} candles were resampled to {count} of {target}.", rows=len(times), count=len(frame), target=target
    )
    if first:
        message += text("The incomplete first candle was left out.")
    if last:
        message += text("The incomplete last candle was left out.")
    made = replace(candles, frame=frame, about=replace(candles.about, interval=target))
    return Resampled(made, Step("resample", len(frame), message))


def _grouped(frame: pd.DataFrame, labels: Nanoseconds) -> pd.DataFrame:
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum", "amount": "sum"}
    grouped = frame.groupby(labels, sort=True).agg({name: how[name] for name in frame if name in how})
    grouped.insert(0, "timestamp", index(grouped.index.to_numpy()))
    return grouped.reset_index(drop=True)


@dataclass(frozen=True)
class _Clock:
    """The clock of a series, and the zone of its market's clock, None if they are the same."""

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
        # Without sessions, candles are counted from midnight by the clock of the series.
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
    """Return the times divided as `_parts` divides their local times."""
    ends = np.cumsum([len(part) for part, _ in _parts(local)])
    return np.split(times, ends[:-1])


def _parts(times: Nanoseconds) -> list[tuple[Nanoseconds, Nanoseconds]]:
    """Return parts of twelve weeks, each with the times from which its sessions are learned."""
    window = (times[-1] - times) // WINDOW
    bounds = [0, *(np.flatnonzero(np.diff(window)) + 1), len(times)]
    parts = [times[low:high] for low, high in pairwise(bounds)]
    short = len(parts) > 1 and parts[0][-1] - parts[0][0] < FEWEST_DAYS
    return [(part, parts[1] if short and number == 0 else part) for number, part in enumerate(parts)]


def _sessions(whole: Nanoseconds) -> tuple[Nanoseconds, Nanoseconds]:
    """Return when in the week sessions open, and their lengths; empty without breaks or without a rhythm."""
    none = np.zeros(0, dtype=np.int64)
    pattern, step = learn(index(whole)), common_step(whole)
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
    """Return the labels counted from the open of each session, None where trading never stops."""
    opens, lengths = _sessions(whole)
    if not len(opens) or (lengths > DAY).any():
        return None
    offset = (times - MONDAY) % WEEK
    opened = times - (offset - opens[np.searchsorted(opens, offset, side="right") - 1]) % WEEK
    # A day outside the pattern is counted from midnight.
    start = np.where(times - opened < DAY, opened, times - times % DAY)
    label = start + (times - start) // length * length
    step = common_step(whole)
    by_end = bool((opens % ROUND != 0).all() and ((opens - step) % ROUND == 0).all())
    return np.asarray(label + (length - step if by_end else 0))


def _trading_days(times: Nanoseconds, whole: Nanoseconds) -> Nanoseconds:
    """Return midnight of the trading day of each candle."""
    opens, lengths = _sessions(whole)
    overnight = (opens % DAY + lengths > DAY) & (opens % DAY != 0)
    if not overnight.any():
        return times - times % DAY
    opening = int(opens[overnight][0] % DAY)
    shift = DAY - opening if opening >= DAY // 2 else -opening
    days = (times + shift) - (times + shift) % DAY
    # Friday's evening session belongs to Monday, unless there is a day session on Saturday.
    by_day = np.unique((opens[~overnight] // DAY).astype(np.int64))
    if len(by_day):
        ahead = np.array([min((by_day - weekday) % 7) for weekday in range(7)], dtype=np.int64)
        days = days + ahead[(days - MONDAY) // DAY % 7] * DAY
    return np.asarray(days)


def _starts_late(times: Nanoseconds, labels: Nanoseconds, target: str, clock: _Clock) -> bool:
    """Return whether candles of the first label were due before the first candle."""
    step = common_step(times)
    count = min((INTERVALS[target] + LONGEST_CLOSE) // step, MOST_EARLIER)
    local = clock.to_local(times)
    earlier = local[0] - step * np.arange(count, 0, -1, dtype=np.int64)
    earlier = clock.to_own(earlier[_due(earlier, learn(index(_parts(local)[0][1])))][-2:])
    joined = np.r_[earlier, times]
    due = int((_labels(joined, target, clock)[: len(earlier)] == labels[0]).sum())
    # The learned pattern has no holidays: the first of a month or a Monday may be one.
    return due > (1 if INTERVALS[target] > DAY else 0)


def _due(times: Nanoseconds, pattern: Pattern) -> NDArray[np.bool_]:
    """Return at which times a candle is due by a weekly pattern; at all by any other pattern."""
    if not isinstance(pattern, WeeklySlots):
        return np.ones(len(times), dtype=bool)
    if pattern.unit == DAY:
        return np.isin((times - MONDAY) % WEEK // DAY, pattern.slots // DAY)
    return np.isin((times - MONDAY) % WEEK, pattern.slots)


def _goes_on(candles: CandleFrame, labels: Nanoseconds, target: str, clock: _Clock) -> bool:
    """Return whether the next due candle belongs to the last label."""
    following = calendars.future_timestamps(candles.timestamps, 1, candles.timezone, candles.about.calendar)
    joined = np.r_[nanoseconds(candles.timestamps), nanoseconds(following)]
    return bool(_labels(joined, target, clock)[-1] == labels[-1])
