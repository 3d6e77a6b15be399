from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kronos_app.data.calendars import ALWAYS, CURRENCIES, future_timestamps, gaps, missing, sessions, share
from kronos_app.errors import InvalidInput

EXCHANGES = ["XNYS", "XSHG", "XHKG", "XLON", "XTKS", "XKRX", "XBOM", "XETR", "XPAR", "XASX", "XTSE", "XTAI", "XSES"]
UNEVEN = [153, *[1] * 5, 2, 2, 2, 6, 7, 8, 8, 26, 44, 44, 117, 153, 261, 783]  # follows no calendar and no pattern


def expect_continuation(times, known, zone, calendar, horizon=200):
    horizon = min(horizon, len(times) - known)
    future = future_timestamps(times[:known], horizon, zone, calendar)
    assert future.tolist() == times[known : known + horizon].tolist()


@pytest.mark.parametrize("code", EXCHANGES)
@pytest.mark.parametrize(("step", "label"), [("15min", "start"), ("1h", "end"), ("4h", "start"), ("4h", "end")])
def test_candles_within_sessions_go_on_through_lunch_nights_holidays_and_early_closes(exchange, code, step, label):
    times, zone = exchange(code, "2022-09-26", "2023-07-28", step, label)
    for known in np.linspace(len(times) // 5, len(times) - 20, 5).astype(int):
        expect_continuation(times, known, zone, code)
    assert gaps(times, zone, code).empty


@pytest.mark.parametrize("code", EXCHANGES)
def test_clocks_that_change_do_not_move_candles_told_in_utc(exchange, code):
    times, zone = exchange(code, "2024-01-02", "2024-12-20", "30min")
    utc = times.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    for known in np.linspace(len(utc) // 5, len(utc) - 20, 5).astype(int):
        expect_continuation(utc, known, "UTC", code)
    assert gaps(utc, "UTC", code).empty


@pytest.mark.parametrize("code", ["XNYS", "XHKG", "XLON"])
def test_days_go_on_at_midnight_at_the_close_or_in_utc(days, code):
    times = days(code, "2020-06-01", "2022-09-16")
    zone = {"XNYS": "America/New_York", "XHKG": "Asia/Hong_Kong", "XLON": "Europe/London"}[code]
    midnight = times.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    for known in (100, 300, 490):
        expect_continuation(times, known, zone, code)
        expect_continuation(times, known, None, code)
        expect_continuation(times, known, "UTC", code)
        expect_continuation(times + pd.Timedelta(hours=16), known, None, code)
        expect_continuation(midnight, known, "UTC", code)
    assert gaps(times.delete([50, 51, 200]), zone, code).to_dict() == {times[49]: 2, times[199]: 1}


def test_a_zone_that_nobody_knows_counts_as_none(days):
    expect_continuation(days("XNYS", "2024-01-02", "2024-06-28"), 60, "Mars/Olympus", "XNYS", 30)


def test_a_few_candles_are_enough_where_the_calendar_says_the_rest(exchange):
    times, zone = exchange("XSHG", "2024-09-26", "2024-10-14", "5min")
    expect_continuation(times, 10, zone, "XSHG", 300)  # the lunch break, and the week of the National Day


def test_the_week_after_a_holiday_week_is_known_to_days(days):
    expect_continuation(
        days("XSHG", "2024-01-02", "2024-03-01"), 20, "Asia/Shanghai", "XSHG", 16
    )  # the Spring Festival


def test_candles_outside_regular_hours_are_learned_but_not_on_holidays(days):
    open_days = days("XNYS", "2024-01-02", "2024-02-20")
    times = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in open_days for hour in range(4, 20)])
    known = int(times.searchsorted(pd.Timestamp("2024-02-16 12:00")))
    expect_continuation(times, known, "America/New_York", "XNYS", 30)  # Monday the 19th is Washington's birthday
    assert gaps(times, "America/New_York", "XNYS").empty


def test_a_night_session_is_learned_beside_the_days_of_the_exchange(days):
    open_days = days("XSHG", "2024-04-08", "2024-07-01")
    clock = [9.0, 9.5, 10.0, 10.5, 11.0, 13.5, 14.0, 14.5, 21.0, 21.5, 22, 22.5, 23, 23.5, 24.0, 24.5, 25.0, 25.5, 26]
    times = pd.DatetimeIndex([day + pd.Timedelta(hours=hour) for day in open_days for hour in clock])
    expect_continuation(times, 600, "Asia/Shanghai", "XSHG", 150)
    expect_continuation(times, 600, "Asia/Shanghai", None, 100)


def test_the_hour_that_futures_pause_is_learned_and_their_holidays_are_kept_clear_of(exchange):
    times, zone = exchange("CMES", "2024-01-02", "2024-06-28", "1h")
    times = times[times.hour != 16]
    new_york = times + pd.Timedelta(hours=1)
    for known in (300, 1250, 2000):  # before the clocks change, before Good Friday, before Memorial Day
        expect_continuation(times, known, zone, "CMES", 150)
        expect_continuation(new_york, known, "America/New_York", "CMES", 150)
    assert gaps(times, zone, "CMES").empty


def test_currencies_pause_from_friday_to_sunday_by_new_york_whatever_the_season():
    hours = pd.date_range("2024-01-01", "2024-12-20", freq="h", tz="UTC")
    local = hours.tz_convert("America/New_York")
    week = local.day_of_week * 24 + local.hour
    times = hours[(week < 4 * 24 + 17) | (week >= 6 * 24 + 17)].tz_localize(None)
    for known in (1000, 1300, 3000, 5200):
        expect_continuation(times, known, "UTC", CURRENCIES, 300)
    assert gaps(times, "UTC", CURRENCIES).empty


def test_four_hours_counted_from_midnight_utc_pass_through_the_change_of_clocks():
    hours = pd.date_range("2024-01-01", "2024-12-20", freq="4h", tz="UTC")
    local = hours.tz_convert("America/New_York")
    end = (hours + pd.Timedelta(hours=4)).tz_convert("America/New_York")
    week, after = local.day_of_week * 24 + local.hour, end.day_of_week * 24 + end.hour
    times = hours[(week < 4 * 24 + 17) | (after > 6 * 24 + 17) | (after < 24)].tz_localize(None)
    for known in (300, 800):
        expect_continuation(times, known, "UTC", CURRENCIES, 120)


def test_what_never_closes_goes_on_by_its_step_from_two_candles_on():
    times = pd.date_range("2024-02-28 22:15", periods=400, freq="15min")
    expect_continuation(times, 2, "UTC", ALWAYS, 300)
    assert gaps(times.delete(slice(10, 20)), "UTC", ALWAYS).to_dict() == {times[9]: 10}
    assert missing(times.delete(slice(10, 20)), "UTC", ALWAYS).tolist() == times[10:20].tolist()
    days = pd.date_range("2024-02-28", periods=40)
    expect_continuation(days, 4, "UTC", ALWAYS, 30)


@pytest.mark.parametrize(("rule", "side"), [("W", "last"), ("M", "last"), ("M", "first"), ("Q", "last")])
def test_weeks_and_months_named_after_a_session_keep_clear_of_holidays(days, rule, side):
    times = days("XNYS", "2018-01-02", "2024-12-27")
    ends = getattr(pd.Series(times).groupby(times.to_period(rule)), side)()
    times = pd.DatetimeIndex(ends.to_numpy())[1:-1]
    known = len(times) // 2
    expect_continuation(times, known, "America/New_York", "XNYS", len(times) - known)


def test_weeks_named_after_monday_are_so_on_holidays_too():
    times = pd.date_range("2022-01-03", periods=120, freq="W-MON")
    expect_continuation(times, 60, "America/New_York", "XNYS", 60)


def test_every_other_session_goes_on_so(days):
    times = days("XLON", "2023-01-03", "2024-06-28")[::2]
    expect_continuation(times, 100, "Europe/London", "XLON", 60)


def test_a_series_that_does_not_follow_its_calendar_goes_by_its_own_pattern():
    times = pd.date_range("2024-01-01", periods=300)
    assert future_timestamps(times, 30, None, "XNYS").tolist() == sessions.future_timestamps(times, 30).tolist()
    assert share(times, None, "XNYS") is None
    hours = pd.date_range("2024-01-01", periods=900, freq="h")
    assert future_timestamps(hours, 30, "UTC", "XTKS").tolist() == sessions.future_timestamps(hours, 30).tolist()


@pytest.mark.parametrize("calendar", [None, "learned"])
def test_without_a_calendar_the_series_itself_tells(calendar):
    times = pd.bdate_range("2024-01-01", periods=100).delete(50)
    assert future_timestamps(times, 9, None, calendar).tolist() == sessions.future_timestamps(times, 9).tolist()
    assert gaps(times, None, calendar).to_dict() == sessions.gaps(times).to_dict()
    assert missing(times, None, calendar).tolist() == [pd.bdate_range("2024-01-01", periods=100)[50]]


def test_beyond_what_the_exchange_has_published_workdays_count(days):
    times = days("XSHG", "2026-06-01", "2026-12-31")
    future = future_timestamps(times, 60, "Asia/Shanghai", "XSHG")
    assert future.tolist() == list(pd.bdate_range("2027-01-01", periods=60))


def test_a_day_shut_without_notice_is_no_gap_and_not_known_before(days):
    times = days("XNYS", "2001-01-02", "2001-12-28")
    before = times[times <= "2001-09-10"]
    assert gaps(times, "America/New_York", "XNYS").empty
    assert future_timestamps(before, 4, "America/New_York", "XNYS").tolist() == list(
        pd.bdate_range("2001-09-11", periods=4)
    )


def test_lost_candles_are_named(exchange):
    times, zone = exchange("XHKG", "2024-05-02", "2024-06-28", "30min")
    holes = times[100:104].union(times[300:301])
    seen = times.drop(holes)
    assert missing(seen, zone, "XHKG").tolist() == holes.tolist()
    assert missing(seen, zone, "XHKG", only_by_calendar=True).tolist() == holes.tolist()
    assert missing(seen, zone, None, only_by_calendar=True).empty
    assert missing(seen, zone, "XNYS", only_by_calendar=True).empty, "a calendar it does not follow"
    assert gaps(seen, zone, "XHKG").tolist() == [4, 1]


def test_a_candle_beside_its_time_is_not_missing(exchange):
    times, zone = exchange("XNYS", "2024-03-04", "2024-04-26", "30min")
    moved = times.where(times != times[200], times[200] + pd.Timedelta(minutes=3))
    assert gaps(moved, zone, "XNYS").empty


def test_an_unknown_calendar_is_told_the_known_ones():
    with pytest.raises(InvalidInput, match="no calendar “MARS”") as caught:
        future_timestamps(pd.date_range("2024-01-01", periods=9), 3, None, "MARS")
    assert "XNYS" in caught.value.hint.render()


@settings(max_examples=60, deadline=None)
@given(
    calendar=st.sampled_from(["XNYS", "XSHG", "XHKG", "XTKS", "CMES", "24/5", "24/7", "learned"]),
    zone=st.sampled_from([None, "UTC", "UTC+08:00", "America/New_York", "Asia/Shanghai"]),
    steps=st.lists(st.integers(1, 2000), min_size=1, max_size=120),
    unit=st.sampled_from(["s", "min", "h", "D"]),
    horizon=st.integers(0, 120),
    start=st.datetimes(pd.Timestamp("1971-01-01"), pd.Timestamp("2030-01-01")),
)
@example(
    "XNYS", None, [153, *[1] * 5, 2, 2, 2, 6, 7, 8, 8, 26, 44, 44, 117, 153, 261, 783], "D", 0, datetime(2000, 1, 1)
)
def test_whatever_the_candles_the_horizon_is_filled_ascending_and_after_them(
    calendar, zone, steps, unit, horizon, start
):
    ceiling = {"s": 2000, "min": 300, "h": 48, "D": 9}[unit]
    moves = pd.to_timedelta(np.cumsum([0, *(step % ceiling + 1 for step in steps)]), unit=unit)
    times = pd.DatetimeIndex(pd.Timestamp(start).floor("min") + moves)
    future = future_timestamps(times, horizon, zone, calendar)
    assert len(future) == horizon
    assert future.is_monotonic_increasing
    assert future.is_unique
    assert horizon == 0 or future[0] > times[-1]
    holes = gaps(times, zone, calendar)
    assert (holes > 0).all()
    assert holes.index.isin(times).all()
    absent = missing(times, zone, calendar)
    assert not absent.isin(times).any()


@settings(max_examples=25, deadline=None)
@given(
    code=st.sampled_from(["XNYS", "XSHG", "XLON"]),
    step=st.sampled_from(["5min", "15min", "1h"]),
    lost=st.sets(st.integers(40, 400), max_size=25),
)
def test_every_lost_candle_is_counted_once(exchange, code, step, lost):
    times, zone = exchange(code, "2024-01-02", "2024-06-28", step)
    seen = times.delete(sorted(lost))
    assert int(gaps(seen, zone, code).sum()) == len(lost)
    assert missing(seen, zone, code).tolist() == times[sorted(lost)].tolist()
