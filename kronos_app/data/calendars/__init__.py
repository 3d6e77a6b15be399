"""When candles fall due: calendars of exchanges, of currencies and round the clock, or what the series itself shows.

    timetable.py   sessions: which days, from when to when
    registry.py    the calendars there are
    slots.py       candles within a session; days.py: candles of a session and longer
    clocks.py      by whose clock candles have their times
    own.py         what a series shows itself, by the clock of its market
    due.py         all of it put to use: what comes next, what is missing
    names.py       which calendars a symbol or a file name may stand for; agreement.py: how well candles agree with one
    guessing.py    which calendar a series has

Nothing here asks the network or the clock. What comes next is made of the timetable as published and of the candles
handed in, so a forecast's caller decides what may be known.
"""

from kronos_app.data.calendars.due import future_timestamps, gaps, missing, share
from kronos_app.data.calendars.guessing import guess, with_calendar, with_calendars
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
    "guess",
    "missing",
    "share",
    "with_calendar",
    "with_calendars",
]
