"""The scores of a signal that can be traded, and the days on which they are: what every backtest begins with."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from training.errors import DataError, Message, message
from training.portfolio.market import ranked

INSTRUMENT = re.compile(r"\.*[A-Za-z0-9_^=&-][A-Za-z0-9._^=&-]{0,39}")  # Qlib makes a path of it


@dataclass(frozen=True, eq=False)
class Span:
    """Days that are traded: the one before the first, the first and the last; `idle` are the signal's that are none."""

    before: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    idle: pd.DatetimeIndex


def check_scores(signal: pd.Series[float], benchmark: str | None) -> tuple[pd.Series[float], list[Message]]:
    """Return the ranks of each day, and what was left out.

    Raises
    ------
    DataError
        The signal is no series by (datetime, instrument) of days and names, or has no score that is a number.
    """
    if list(signal.index.names) != ["datetime", "instrument"]:
        raise DataError(message("A signal is a series by datetime and instrument."))
    if signal.index.has_duplicates:
        day, name = signal.index[signal.index.duplicated()][0]
        raise DataError(message("{symbol} has two scores on {day}.", symbol=str(name), day=f"{day:%Y-%m-%d}"))
    names = [*signal.index.get_level_values("instrument").unique(), *([benchmark] if benchmark else [])]
    for name in names:
        if not INSTRUMENT.fullmatch(name):
            raise DataError(message("{symbol} cannot be the name of an instrument.", symbol=repr(name[:40])))
    days = pd.DatetimeIndex(signal.index.get_level_values("datetime"))
    if days.tz is not None or (days != days.normalize()).any():
        raise DataError(message("A score belongs to a day: its time must be midnight, without a time zone."))
    scores = ranked(signal)
    if scores.empty:
        raise DataError(message("The signal has no score that is a number."))
    dropped = len(signal) - len(scores)
    return scores, [message("{count} scores are no numbers and are left out.", count=dropped)] if dropped else []


def find_span(calendar: pd.DatetimeIndex, source: str, scores: pd.Series[float], end: pd.Timestamp | None) -> Span:
    """Return the days of a calendar on which scores are traded, each on the day after its own.

    Parameters
    ----------
    calendar
        Trading days, ascending.
    source
        Where the calendar is from; named in messages.
    end
        Last day; None: the day on which the last scores are traded.

    Raises
    ------
    DataError
        No day of the signal is in the calendar, or none comes after the first.
    """
    asked = pd.DatetimeIndex(scores.index.get_level_values("datetime").unique())
    there = asked.isin(calendar)
    if not there.any():
        raise DataError(message("No day of the signal is in the calendar of {folder}.", folder=source))
    begun, ended = asked[there].min(), asked[there].max()
    last = end or calendar[: int(calendar.searchsorted(ended, side="right")) + 1][-1]
    days = calendar[(calendar > begun) & (calendar <= last)]
    if not len(days):
        raise DataError(
            message("{folder} has no day after the first of the signal: nothing can be traded.", folder=source)
        )
    return Span(begun, days[0], days[-1], asked[~there])


def idle_note(span: Span) -> list[Message]:
    """Return what to say of days of a signal that are no trading days."""
    if not len(span.idle):
        return []
    return [message("{count} days of the signal are no trading days and are left out.", count=len(span.idle))]
