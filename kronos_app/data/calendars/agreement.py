"""Measures how well candles agree with a calendar that a name suggests."""

from __future__ import annotations

import numpy as np

from kronos_app.data.calendars import days, slots
from kronos_app.data.calendars.clock import DAY, WEEK, Nanoseconds, ascending, is_countable, midnight, overlap, weekday
from kronos_app.data.calendars.clocks import best_clock
from kronos_app.data.calendars.registry import ALWAYS
from kronos_app.data.calendars.sessions import common_step
from kronos_app.data.calendars.timetable import Calendar

RECENT = 1_100 * DAY  # three years of daily candles, which contain the holidays of every country
AGREES = 0.99  # share of candles on sessions; the others may be mistakes
WEEKENDS = 0.01  # share of candles on weekends of a market that never closes; fewer may be mistakes
LIKELY, POSSIBLE = 0.6, 0.01  # least agreement of one calendar out of several, and of the only suggested one
WEEKEND_SEEN = 9 * DAY


def agreement(times: Nanoseconds, timezone: str | None, calendar: Calendar, least: float = AGREES) -> float:
    """Return the Jaccard index of candles and calendar, 0 where they contradict it.

    Candles on holidays contradict a calendar; sessions without a candle lower the index. Weekly or longer candles, too
    few candles, and candles of other centuries give no evidence, which is 1.

    Parameters
    ----------
    times
        Ascending, by the clock of `timezone`.
    least
        Least share of the candles that must be on sessions.
    """
    if len(times) < 2 or not is_countable(times):
        return 1.0
    step = common_step(times)
    if calendar.key == ALWAYS:
        return _agreement_round_the_clock(times)
    if step > DAY:
        return 1.0
    recent = times[times > times[-1] - (RECENT if step == DAY else slots.RECENT)]
    if step < DAY:
        local = ascending(best_clock(recent, step, timezone, calendar).to(recent, calendar.zone))
        return slots.likeness(local, step, calendar) if _share_on_sessions(local, calendar) >= least else 0.0
    labels = days.label(recent, timezone, calendar)
    if labels is None or labels.share < least:
        return 0.0
    seen = ascending(labels.days(recent, timezone))
    return overlap(seen, calendar.sessions(midnight(int(seen[0])), int(seen[-1])).days)


def _share_on_sessions(local: Nanoseconds, calendar: Calendar) -> float:
    """Return the share of candles, by the calendar's clock, on days of sessions or evenings that open one."""
    sessions = calendar.sessions(midnight(int(local[0])) - DAY, midnight(int(local[-1])) + DAY)
    dates = local - local % DAY
    evening = np.isin(dates + DAY, sessions.days[sessions.hours[:, 0] < 0])
    return float(np.mean(np.isin(dates, sessions.days) | evening))


def _agreement_round_the_clock(times: Nanoseconds) -> float:
    """Return 0 where weeks were seen with hardly a candle on a weekend, else 1."""
    if times[-1] - times[0] < WEEKEND_SEEN or common_step(times) >= WEEK:
        return 1.0
    return float(np.mean(weekday(times) >= 5) > WEEKENDS)
