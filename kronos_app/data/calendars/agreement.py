"""How well candles agree with a calendar that a name suggests."""

from __future__ import annotations

import numpy as np

from kronos_app.data.calendars import days, slots
from kronos_app.data.calendars.clock import DAY, WEEK, Nanoseconds, ascending, is_countable, midnight
from kronos_app.data.calendars.clocks import best_clock
from kronos_app.data.calendars.registry import ALWAYS
from kronos_app.data.calendars.timetable import Calendar
from kronos_app.data.sessions import common_step

RECENT = 1_100 * DAY  # three years of days, which have the holidays of every country
AGREES = 0.99  # of the candles are on sessions; the others may be mistakes
WEEKENDS = 0.01  # of the candles of what never closes: a part too small to be more than mistakes
LIKELY, POSSIBLE = 0.6, 0.01  # of one calendar out of several, and of the only one that a name suggests
WEEKEND_SEEN = 9 * DAY


def agreement(times: Nanoseconds, timezone: str | None, calendar: Calendar, least: float = AGREES) -> float:
    """Return what is common to candles and calendar as a share of both together, 0 where they contradict it.

    Candles on holidays contradict a calendar; sessions without a candle lower its share. Longer candles than a day,
    too few of them, and those of other centuries say nothing, which is 1.

    Parameters
    ----------
    times
        Ascending, by the clock of `timezone`.
    least
        Part of the daily candles that must be on sessions.
    """
    if len(times) < 2 or not is_countable(times):
        return 1.0
    step = common_step(times)
    if calendar.key == ALWAYS:
        return _round_the_clock(times)
    if step > DAY:
        return 1.0
    recent = times[times > times[-1] - (RECENT if step == DAY else slots.RECENT)]
    if step < DAY:
        local = ascending(best_clock(recent, step, timezone, calendar).to(recent, calendar.zone))
        return slots.likeness(local, step, calendar) if _on_sessions(local, calendar) >= least else 0.0
    labels = days.label(recent, timezone, calendar)
    if labels is None or labels.share < least:
        return 0.0
    seen = ascending(labels.days(recent, timezone))
    due = calendar.sessions(midnight(int(seen[0])), int(seen[-1])).days
    common = int(np.count_nonzero(np.isin(seen, due)))
    return common / (len(seen) + len(due) - common)


def _on_sessions(local: Nanoseconds, calendar: Calendar) -> float:
    """Return the part of candles, by the calendar's clock, on the days of sessions or on evenings that open one."""
    sessions = calendar.sessions(midnight(int(local[0])) - DAY, midnight(int(local[-1])) + DAY)
    days = local - local % DAY
    evening = np.isin(days + DAY, sessions.days[sessions.hours[:, 0] < 0])
    return float(np.mean(np.isin(days, sessions.days) | evening))


def _round_the_clock(times: Nanoseconds) -> float:
    """Return 0 where weeks were seen and hardly a candle on a weekend, as of an exchange that closes, else 1."""
    if times[-1] - times[0] < WEEKEND_SEEN or common_step(times) >= WEEK:
        return 1.0
    weekend = (times // DAY + 3) % 7 >= 5
    return float(np.mean(weekend) > WEEKENDS)
