"""Candles that can be read and yet cannot be trusted: what is suspicious about a series.

    returns.py    outliers and leaps of the price
    splits.py     splits that prices were not adjusted for
    levels.py     splits and other changes of level that break a forecast
    runs.py       stale prices, stretches without volume
    times.py      mixed intervals, a last candle that has not ended
    suspects.py   all of them together

A check uses the whole series it gets: to avoid look-ahead, pass only the candles up to the cutoff.
"""

from kronos_app.data.checks.runs import Run
from kronos_app.data.checks.splits import Split
from kronos_app.data.checks.suspects import Suspects, is_unfinished, suspect

__all__ = ["Run", "Split", "Suspects", "is_unfinished", "suspect"]
