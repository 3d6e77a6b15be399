"""Trading calendars: when candles are due, by a published timetable or by the pattern of the series itself.

    timetable.py   sessions: on which days and hours a market trades
    registry.py    all calendars
    slots.py       intraday candles within a session; days.py: candles of a day and longer
    clocks.py      the clock that the times of a series follow
    own.py         the pattern that a series shows, by the clock of its market
    due.py         next and missing candles
    names.py       calendars that a symbol or file name suggests
    guessing.py    the calendar of a series: how well its candles agree with those suggested

Nothing here uses the network or the current time. Future times follow from the published timetable and the candles
passed in, so the caller of a forecast decides what may be known.
"""

from kronos_app.data.calendars.due import future_timestamps, gaps, missing, share
from kronos_app.data.calendars.guessing import with_calendar, with_calendars
from kronos_app.data.calendars.registry import ALWAYS, CALENDARS, CURRENCIES, LEARNED, get
from kronos_app.data.calendars.timetable import Calendar, Sessions

__all__ = [
    "ALWAYS",
    "CALENDARS",
    "CURRENCIES",
    "LEARNED",
    "Calendar",
    "Sessions",
    "future_timestamps",
    "gaps",
    "get",
    "missing",
    "share",
    "with_calendar",
    "with_calendars",
]
