"""By whose clock a series has its rhythm: markets keep local hours, so in UTC they move when clocks change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kronos_app.data import sessions as learned
from kronos_app.data.calendars import slots
from kronos_app.data.calendars.clock import DAY, HOUR, Nanoseconds, ascending, convert, found_in, index, is_countable
from kronos_app.data.calendars.timetable import Calendar, CurrencyCalendar

NEW_YORK = "America/New_York"
# One zone for each rule of when clocks change: other zones of the rule differ from it by a constant.
RULES = (NEW_YORK, "Europe/London", "Australia/Sydney", "UTC")
HALF_HOUR = HOUR // 2
EVIDENCE = 400 * DAY  # the recent past that shows a rule: both changes of a year


@dataclass(frozen=True)
class Clock:
    """The clock of a zone, or one that is ahead of it by the same nanoseconds all year round."""

    zone: str
    ahead: int = 0

    def to(self, times: Nanoseconds, zone: str) -> Nanoseconds:
        """Return times of this clock by that of a zone."""
        return convert(times - self.ahead, self.zone, zone)

    def of(self, times: Nanoseconds, zone: str) -> Nanoseconds:
        """Return times of a zone's clock by this one."""
        return convert(times, zone, self.zone) + self.ahead


# Servers of MetaTrader are seven hours ahead of New York, so that a week of currencies is Monday to Friday.
SERVER = Clock(NEW_YORK, 7 * HOUR)
# The clocks that vendors of currencies use. Where several fit equally, as in one season, the first is meant.
_CURRENCIES = (
    SERVER, Clock("UTC"), Clock(NEW_YORK), Clock("UTC-05:00"), Clock("Europe/Athens"), Clock("UTC+02:00"),
    Clock("UTC+03:00"), Clock("Europe/London"), Clock("Europe/Berlin"), Clock("UTC+01:00"), Clock("America/Chicago"),
    Clock("UTC+08:00"), Clock("UTC+09:00"), Clock("Australia/Sydney"), Clock("UTC+05:30"), Clock("UTC+04:00"),
)  # fmt: skip


def clocks_of(timezone: str | None, calendar: Calendar) -> tuple[Clock, ...]:
    """Return the clocks that a series may be told by: that of its zone, or the usual ones where it states none."""
    if timezone is not None:
        return (Clock(timezone),)
    if isinstance(calendar, CurrencyCalendar):
        return _CURRENCIES
    return (Clock(calendar.zone), Clock("UTC"), SERVER)


def best_clock(times: Nanoseconds, step: int, timezone: str | None, calendar: Calendar) -> Clock:
    """Return the clock by which the candles of the last year fit best, the first of several that fit equally."""
    clocks = clocks_of(timezone, calendar)
    if len(clocks) == 1:
        return clocks[0]
    # Hours tell clocks apart: of shorter candles the first of each half hour is enough, and much faster.
    coarse = max(step, HALF_HOUR)
    times = times[times > times[-1] - EVIDENCE]
    thin = times if step >= HALF_HOUR else ascending(times - times % coarse)

    def likeness(clock: Clock) -> float:
        fit = slots.fit(ascending(clock.to(thin, calendar.zone)), coarse, calendar, EVIDENCE)
        # What is learned from the candles fits them by any clock of an exchange, so the plain hours count as well.
        return -1.0 if fit is None else fit.likeness + fit.plain

    return max(clocks, key=likeness)


def rhythm_zone(times: Nanoseconds, timezone: str | None) -> str | None:
    """Return the zone by whose clock a series repeats its week best, None for its own clock.

    Only a history that has seen clocks change can show another zone, and its own is preferred. Without a time zone
    the times count as UTC for the comparison.
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
    """Return what is common to the times there are and those due by their own pattern, as a share of both."""
    due = _due(learned.learn(index(times)), int(times[0]), int(times[-1]))
    common = int(np.count_nonzero(found_in(times, due)))
    return common / (len(times) + len(due) - common)


def _due(pattern: learned.Pattern, first: int, last: int) -> Nanoseconds:
    """Return the times of a pattern from one time to another, both included."""
    if isinstance(pattern, learned.WeeklySlots):
        return pattern.between(first, last)
    if isinstance(pattern, learned.Months):
        due = pattern.after(first - pattern.months * 31 * DAY, (last - first) // (pattern.months * 28 * DAY) + 3)
        return due[(due >= first) & (due <= last)]
    if isinstance(pattern, learned.FixedStep) and pattern.regular:
        return np.arange(last - (last - first) // pattern.step * pattern.step, last + 1, pattern.step, dtype=np.int64)
    return np.empty(0, dtype=np.int64)
