"""Candles as an exchange's own timetable has them, made straight from exchange_calendars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


def schedule(code, start, end):
    import exchange_calendars

    return exchange_calendars.get_calendar(code, start=start, end=end)


def bars(code, start, end, step, label="start"):
    """Return the local times of candles of length `step`, begun anew after a break, and the exchange's zone."""
    calendar = schedule(code, start, end)
    step = pd.Timedelta(step)
    times = []
    for row in calendar.schedule.itertuples():
        parts = [(row.open, row.close)]
        if not pd.isna(row.break_start):
            parts = [(row.open, row.break_start), (row.break_end, row.close)]
        for opens, closes in parts:
            starts = pd.date_range(opens, closes, freq=step, inclusive="left")
            times += list(starts if label == "start" else np.minimum(starts + step, closes))
    return pd.DatetimeIndex(times).tz_convert(calendar.tz).tz_localize(None), str(calendar.tz)


@pytest.fixture(scope="session")
def exchange():
    """Return a function that makes the candles of an exchange."""
    return bars


@pytest.fixture(scope="session")
def days():
    """Return a function that names the trading days of an exchange."""
    return lambda code, start, end: pd.DatetimeIndex(schedule(code, start, end).schedule.index).as_unit("ns")
