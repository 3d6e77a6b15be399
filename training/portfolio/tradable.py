"""The scores of a signal that can be traded, and the days on which they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from training.errors import DataError, Message, message
from training.portfolio.market import ranked

INSTRUMENT = re.compile(r"\.*[A-Za-z0-9_^=&-][A-Za-z0-9._^=&-]{0,39}")  # Qlib uses it as a path


@dataclass(frozen=True, eq=False)
class Span:
    """Traded days: the one before the first, the first and the last; `idle` are days of the signal without trading."""

    before: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    idle: pd.DatetimeIndex


def check_scores(signal: pd.Series[float], benchmark: str | None) -> tuple[pd.Series[float], list[Message]]:
    """Return the ranks of each day, and a note on scores that are left out.

    Raises DataError if the signal is not a series by (datetime, instrument) of days and names, or has no finite score.
    """
    if list(signal.index.names) != ["datetime", "instrument"]:
        raise DataError("A signal must be a series by datetime and instrument.")
    if signal.index.has_duplicates:
        day, name = signal.index[signal.index.duplicated()][0]
        raise DataError("{symbol} has two scores on {day}.", symbol=str(name), day=f"{day:%Y-%m-%d}")
    for name in [*signal.index.get_level_values("instrument").unique(), *([benchmark] if benchmark else [])]:
        if not INSTRUMENT.fullmatch(name):
            raise DataError("{symbol} cannot be the name of an instrument.", symbol=repr(name[:40]))
    days = pd.DatetimeIndex(signal.index.get_level_values("datetime"))
    if days.tz is not None or (days != days.normalize()).any():
        raise DataError("The time of a score must be a day: midnight, without a time zone.")
    scores = ranked(signal)
    if scores.empty:
        raise DataError("The signal has no score that is a number.")
    dropped = len(signal) - len(scores)
    return scores, [message("{count} scores are not numbers and are left out.", count=dropped)] if dropped else []


def find_span(calendar: pd.DatetimeIndex, source: str, scores: pd.Series[float], end: pd.Timestamp | None) -> Span:
    """Return the days of a calendar on which scores are traded, each on the day after its own.

    The calendar has trading days, ascending; `source` is where it is from, for messages. The last day is `end`, or else
    the day on which the last scores are traded. Raises DataError if no day of the signal is in the calendar, or none
    comes after the first.
    """
    signal_days = pd.DatetimeIndex(scores.index.get_level_values("datetime").unique())
    known = signal_days.isin(calendar)
    if not known.any():
        raise DataError("No day of the signal is in the calendar of {folder}.", folder=source)
    begun, ended = signal_days[known].min(), signal_days[known].max()
    last = end or calendar[: int(calendar.searchsorted(ended, side="right")) + 1][-1]
    days = calendar[(calendar > begun) & (calendar <= last)]
    if not len(days):
        raise DataError("{folder} has no day after the first one of the signal: nothing can be traded.", folder=source)
    return Span(begun, days[0], days[-1], signal_days[~known])
