"""Sessions of markets told by many clocks: the times that follow are those of the market, whatever clocks do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_app.data.calendars import CURRENCIES, future_timestamps, gaps, missing, share

NEW_YORK = "America/New_York"
MARKETS = {
    NEW_YORK: [(9.5, 16)],
    "America/Chicago": [(8.5, 15), (17, 24)],
    "Europe/London": [(8, 16.5)],
    "Europe/Berlin": [(9, 17.5)],
    "Australia/Sydney": [(10, 16)],
    "Asia/Tokyo": [(9, 11.5), (12.5, 15)],
    "Asia/Hong_Kong": [(9.5, 12), (13, 16)],
}
# The Sunday or Monday after which each rule has changed its clocks, and the market whose history has seen it.
CHANGES = {"2024-03-11": NEW_YORK, "2024-11-04": NEW_YORK, "2024-04-01": "Europe/London", "2024-10-28": "Europe/Berlin",
           "2024-04-08": "Australia/Sydney", "2023-10-02": "Australia/Sydney"}  # fmt: skip


def sessions(market, told, step):
    """Return the times of candles of a market that keeps its local hours on workdays, by another clock."""
    days = pd.bdate_range("2023-06-05", "2025-03-28")
    parts = [
        days.repeat(len(clock)) + pd.to_timedelta(np.tile(clock, len(days)), unit="h")
        for clock in (np.arange(opens, closes, step / 60) for opens, closes in MARKETS[market])
    ]
    local = parts[0].append(parts[1:]).sort_values().as_unit("ns")
    return local.tz_localize(market).tz_convert(told).tz_localize(None)


def currencies(told, step="1h", ahead=0, pause=False):
    """Return the times of candles from Sunday 17:00 in New York to Friday 17:00 by another clock."""
    moments = pd.date_range("2023-06-04", "2025-03-28", freq=step, tz="UTC")
    local = moments.tz_convert(NEW_YORK)
    week = local.day_of_week * 24 + local.hour
    traded = (week < 4 * 24 + 17) | (week >= 6 * 24 + 17)
    if pause:
        traded &= local.hour != 17
    return moments[traded].tz_convert(told).tz_localize(None) + pd.Timedelta(hours=ahead)


def expect_continuation(times, known, zone, calendar, horizon, most=100_000):
    future = future_timestamps(times[max(0, known - most) : known], horizon, zone, calendar)
    assert future.tolist() == times[known : known + horizon].tolist()


@pytest.mark.parametrize(("monday", "market"), CHANGES.items())
@pytest.mark.parametrize("told", ["UTC", "Asia/Shanghai", None])
def test_one_session_after_a_change_of_clocks_shows_whose_clock_a_series_follows(monday, market, told):
    times = sessions(market, told or "UTC", 30)
    start = pd.Timestamp(monday, tz=market).tz_convert(told or "UTC").tz_localize(None)
    known = int(times.searchsorted(start + pd.Timedelta(days=1)))
    expect_continuation(times, known, told, None, 40, most=500)
    assert gaps(times[known - 500 : known], told).empty


@settings(max_examples=40, deadline=None)
@given(
    market=st.sampled_from(sorted(MARKETS)),
    told=st.sampled_from(["UTC", "Asia/Shanghai", "own", None]),
    step=st.sampled_from([15, 30, 60]),
    known=st.floats(0.62, 0.95),
    weeks=st.integers(52, 60),
)
def test_a_year_of_any_market_told_by_any_clock_goes_on_through_every_change(market, told, step, known, weeks):
    zone = market if told == "own" else told
    times = sessions(market, zone or "UTC", step)
    at = int(len(times) * known)
    week = len(times) // 95
    expect_continuation(times, at, zone, None, 2 * week, most=weeks * week)


def test_lost_candles_beside_a_change_of_clocks_are_named():
    times = sessions(NEW_YORK, "UTC", 30)
    first = int(times.searchsorted(pd.Timestamp("2024-03-11")))
    lost = times[first + 3 : first + 6]
    part = times[first - 400 : first + 100].drop(lost)
    assert gaps(part, "UTC").to_dict() == {times[first + 2]: 3}
    assert missing(part, "UTC").tolist() == lost.tolist()


def test_days_of_london_told_in_utc_go_on_through_the_change():
    days = pd.bdate_range("2024-01-02", periods=150).tz_localize("Europe/London").tz_convert("UTC").tz_localize(None)
    expect_continuation(days, 90, "UTC", None, 60)
    assert gaps(days, "UTC").empty


def test_what_never_closes_and_what_keeps_no_rhythm_have_no_other_clock():
    hours = pd.date_range("2024-01-01", periods=4000, freq="h")
    for zone in ("UTC", None, NEW_YORK):
        expect_continuation(hours, 1700, zone, None, 1000)
    rng = np.random.default_rng(2)
    ticks = pd.DatetimeIndex(pd.Timestamp("2024-02-20") + pd.to_timedelta(np.cumsum(rng.integers(1, 9000, 900)), "s"))
    future = future_timestamps(ticks, 50, "UTC", None)
    assert len(future) == 50
    assert future[0] > ticks[-1]


@pytest.mark.parametrize(
    ("told", "ahead"),
    [("UTC", 0), (NEW_YORK, 0), (NEW_YORK, 7), ("Europe/Athens", 0), ("Etc/GMT+5", 0), ("Etc/GMT-2", 0),
     ("Europe/London", 0), ("Europe/Berlin", 0), ("Asia/Shanghai", 0), ("Asia/Tokyo", 0)],
)  # fmt: skip
@pytest.mark.parametrize("pause", [False, True])
def test_currencies_whose_file_states_no_zone_go_on_by_the_clock_that_fits_best(told, ahead, pause):
    times = currencies(told, ahead=ahead, pause=pause)
    week = 115 if pause else 120
    for monday, seen in (
        ("2024-01-29", 4),
        ("2024-02-26", 2),
        ("2024-07-15", 4),
        ("2024-03-11", 40),
        ("2024-11-04", 40),
    ):
        friday = int(times.searchsorted(pd.Timestamp(monday) + pd.Timedelta(days=4, hours=12)))
        expect_continuation(times, friday, None, CURRENCIES, 60, most=seen * week)
        assert gaps(times[friday - seen * week : friday], None, CURRENCIES).empty


def test_minutes_of_currencies_go_on_by_the_clock_that_fits_best():
    times = currencies("UTC", "5min")
    friday = int(times.searchsorted(pd.Timestamp("2024-02-02 18:00")))
    expect_continuation(times, friday, None, CURRENCIES, 200, most=6000)


def test_a_day_that_ends_at_17_in_new_york_does_so_after_the_change_of_clocks_too():
    days = pd.bdate_range("2023-06-05", periods=300) + pd.Timedelta(hours=17)
    times = days.tz_localize(NEW_YORK).tz_convert("UTC").tz_localize(None)
    for zone in ("UTC", None):
        expect_continuation(times, 100, zone, CURRENCIES, 30)  # November


def test_candles_of_sundays_are_no_less_due_because_the_calendar_has_none():
    days = pd.date_range("2024-01-01", periods=200)
    six = days[days.day_of_week != 5]
    assert share(six[:100], "UTC", CURRENCIES) is None
    expect_continuation(six, 100, "UTC", CURRENCIES, 40)
