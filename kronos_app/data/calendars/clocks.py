"""Finds the clock that a series follows: markets keep local hours, so in UTC they shift when clocks change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kronos_app.data.calendars import sessions as learned
from kronos_app.data.calendars import slots
from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, ascending, convert, index, is_countable, overlap
from kronos_app.data.calendars.timetable import Calendar, CurrencyCalendar

NEW_YORK = "America/New_York"
# One zone for each rule of clock changes: other zones with the same rule differ by a constant.
RULES = (NEW_YORK, "Europe/London", "Australia/Sydney", "UTC")
HALF_HOUR = HOUR // 2
EVIDENCE = 400 * DAY  # the recent history that shows a rule: both clock changes of a year


@dataclass(frozen=True)
class Clock:
    """The clock of a zone, shifted by a constant number of nanoseconds."""

    zone: str
    ahead: int = 0

    def to(self, times: Nanoseconds, zone: str) -> Nanoseconds:
        """Return times of this clock by the clock of a zone."""
        return convert(times - self.ahead, self.zone, zone)

    def of(self, times: Nanoseconds, zone: str) -> Nanoseconds:
        """Return times of a zone's clock by this clock."""
        return convert(times, zone, self.zone) + self.ahead


# MetaTrader servers are seven hours ahead of New York, so that a week of currencies is Monday to Friday.
SERVER = Clock(NEW_YORK, 7 * HOUR)
# The clocks that currency vendors use. Where several fit equally, as within one season, the first is used.
_CURRENCIES = (
    SERVER, Clock("UTC"), Clock(NEW_YORK), Clock("UTC-05:00"), Clock("Europe/Athens"), Clock("UTC+02:00"),
    Clock("UTC+03:00"), Clock("Europe/London"), Clock("Europe/Berlin"), Clock("UTC+01:00"), Clock("America/Chicago"),
    Clock("UTC+08:00"), Clock("UTC+09:00"), Clock("Australia/Sydney"), Clock("UTC+05:30"), Clock("UTC+04:00"),
)  # fmt: skip


def possible_clocks(timezone: str | None, calendar: Calendar) -> tuple[Clock, ...]:
    """Return the clocks that a series may follow: that of its zone, or the usual ones where it states none."""
    if timezone is not None:
        return (Clock(timezone),)
    if isinstance(calendar, CurrencyCalendar):
        return _CURRENCIES
    return (Clock(calendar.zone), Clock("UTC"), SERVER)


def best_clock(times: Nanoseconds, step: int, timezone: str | None, calendar: Calendar) -> Clock:
    """Return the clock by which the candles of the last year fit best, the first of equals."""
    clocks = possible_clocks(timezone, calendar)
    if len(clocks) == 1:
        return clocks[0]
    # Hours distinguish clocks: of shorter candles the first of each half hour is enough, and much faster.
    coarse = max(step, HALF_HOUR)
    times = times[times > times[-1] - EVIDENCE]
    thin = times if step >= HALF_HOUR else ascending(times - times % coarse)

    def likeness(clock: Clock) -> float:
        fit = slots.fit(ascending(clock.to(thin, calendar.zone)), coarse, calendar, EVIDENCE)
        # What is learned from the candles fits them by any clock, so the published hours count as well.
        return -1.0 if fit is None else fit.likeness + fit.plain

    return max(clocks, key=likeness)


def rhythm_zone(times: Nanoseconds, timezone: str | None) -> str | None:
    """Return the zone by whose clock a series repeats its week best, None for its own clock.

    Only a history that contains clock changes can show another zone, and its own is preferred. Times without a time
    zone count as UTC for the comparison.
    """
    if not is_countable(times):
        return None
    recent = times[times > times[-1] - EVIDENCE][-learned.MOST :]
    if (recent % DAY == recent[0] % DAY).all():
        return None  # days, or longer, at one time of day
    own = timezone or "UTC"
    best, likeness = None, _likeness(recent)
    for zone in RULES:
        local = convert(recent, own, zone)
        shift = local - recent
        if (shift == shift[0]).all() or (np.diff(local) <= 0).any():
            continue
        alike = _likeness(local)
        if alike > likeness:
            best, likeness = zone, alike
    return best


def _likeness(times: Nanoseconds) -> float:
    """Return the Jaccard index of times and of those due by their own pattern."""
    return overlap(times, _due(learned.learn(index(times)), int(times[0]), int(times[-1])))


def _due(pattern: learned.Pattern, first: int, last: int) -> Nanoseconds:
    """Return the times of a pattern that cover the range from `first` to `last`."""
    if isinstance(pattern, learned.WeeklySlots):
        return pattern.between(first, last)
    if isinstance(pattern, learned.Months):
        return pattern.after(first - pattern.months * 31 * DAY, (last - first) // (pattern.months * 28 * DAY) + 3)
    if isinstance(pattern, learned.FixedStep) and pattern.regular:
        return np.arange(last - (last - first) // pattern.step * pattern.step, last + 1, pattern.step, dtype=np.int64)
    return np.empty(0, dtype=np.int64)
