import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronos_app.data.calendars.sessions import future_timestamps, gaps
from kronos_app.errors import InvalidInput


def grid(start, end, step, opens="09:30", closes="16:00", days=range(5)):
    """Times from `start` to `end` within opening hours of the given weekdays."""
    times = pd.date_range(start, end, freq=step)
    clock = times.strftime("%H:%M")
    return times[(clock >= opens) & (clock < closes) & times.day_of_week.isin(list(days))]


def split(times, at):
    return times[:at], times[at:]


def expect_continuation(times, known, horizon=None):
    history, rest = split(times, known)
    horizon = horizon or len(rest)
    assert future_timestamps(history, horizon).tolist() == rest[:horizon].tolist()


def test_a_stock_session_jumps_over_night_and_weekend():
    expect_continuation(grid("2024-01-02", "2024-03-01", "5min"), 1000)


def test_a_stock_history_of_a_day_and_a_half_closes_over_night():
    times = grid("2024-01-08", "2024-01-12 15:00", "5min")  # Monday to Friday
    expect_continuation(times, 78 + 30)


def test_a_short_stock_history_that_saw_one_night_knows_the_weekend():
    times = grid("2024-01-11 13:00", "2024-01-16 15:00", "5min")  # Thursday afternoon on
    expect_continuation(times, 36 + 28)


def test_a_few_candles_of_a_market_open_round_the_clock_go_on_through_midnight():
    times = pd.date_range("2024-01-03 21:00", periods=64 + 600, freq="5min")
    expect_continuation(times, 64)


def test_one_lost_candle_in_a_short_history_does_not_become_a_break():
    times = pd.date_range("2024-01-03 21:00", periods=64 + 600, freq="5min")
    assert future_timestamps(times[:64].delete(20), 600).tolist() == times[64:].tolist()


def test_a_market_that_never_closes_goes_on_through_the_weekend():
    expect_continuation(pd.date_range("2024-01-01", periods=2000, freq="h"), 900)


def test_a_lunch_break_is_kept():
    times = pd.date_range("2024-01-01", "2024-02-20", freq="15min")
    clock = times.strftime("%H:%M")
    open_ = ((clock > "09:30") & (clock <= "11:30")) | ((clock > "13:00") & (clock <= "15:00"))
    expect_continuation(times[open_ & (times.day_of_week < 5)], 300)


def test_hourly_bars_off_the_hour_grid_are_kept():
    days = pd.bdate_range("2024-01-01", periods=40)
    times = pd.DatetimeIndex(
        [d + pd.Timedelta(t) for d in days for t in ("10:30:00", "11:30:00", "14:00:00", "15:00:00")]
    )
    expect_continuation(times, 90)


def test_currencies_open_on_sunday_evening_and_close_on_friday():
    times = pd.date_range("2024-01-07 22:00", "2024-03-08", freq="h")
    week = times.day_of_week * 24 + times.hour
    expect_continuation(times[(week < 4 * 24 + 22) | (week >= 6 * 24 + 22)], 500)


def test_a_night_session_runs_into_saturday_but_not_into_monday():
    times = pd.date_range("2024-01-01", "2024-03-01", freq="30min")
    clock, weekday = times.strftime("%H:%M"), times.day_of_week
    day = (clock >= "09:00") & (clock < "15:00") & (weekday < 5)
    evening = (clock >= "21:00") & (weekday < 5)
    night = (clock < "02:30") & (weekday >= 1) & (weekday <= 5)
    expect_continuation(times[day | evening | night], 600)


def test_holidays_half_days_and_odd_prints_do_not_change_the_pattern():
    times = grid("2024-01-01", "2024-04-01", "5min")
    history, rest = split(times, 2500)
    last = history[-1].normalize()
    holiday = history.normalize() != last - pd.Timedelta(days=7)
    half_day = (history.normalize() != last - pd.Timedelta(days=8)) | (history.hour < 13)
    odd = history[50].normalize() + pd.Timedelta(hours=19, minutes=35)
    seen = history[holiday & half_day].union(pd.DatetimeIndex([odd, history[-1].normalize() + pd.Timedelta("7h2min")]))
    assert future_timestamps(seen, 400).tolist() == rest[:400].tolist()


def test_recent_weeks_count_when_trading_hours_change():
    old = grid("2024-01-01", "2024-02-23 23:00", "30min", "14:30", "21:00")
    new = grid("2024-02-26", "2024-04-19 23:00", "30min", "13:30", "20:00")
    history = old.append(new[:200])
    assert future_timestamps(history, 100).tolist() == new[200:300].tolist()


def test_daily_candles_skip_weekends_after_a_holiday_too():
    days = pd.bdate_range("2023-01-02", periods=300)
    history = days[:250].delete([100, 240, 246])
    assert future_timestamps(history, 50).tolist() == days[250:].tolist()


def test_daily_candles_of_a_market_without_weekends_run_through():
    expect_continuation(pd.date_range("2023-01-01", periods=100), 40)


def test_daily_candles_keep_their_time_of_day():
    expect_continuation(pd.bdate_range("2023-01-02 16:00", periods=100), 50)


def test_a_market_trading_sunday_to_thursday_is_learned():
    days = pd.date_range("2023-01-01", periods=200)
    expect_continuation(days[days.day_of_week.isin([6, 0, 1, 2, 3])], 60)


def test_four_days_in_a_row_are_taken_for_workdays():
    assert future_timestamps(pd.date_range("2024-01-02", periods=4), 2).tolist() == list(
        pd.bdate_range("2024-01-08", periods=2)
    )


@pytest.mark.parametrize(
    "freq", ["W-MON", "W-FRI", "2W-SUN", "3D", "MS", "ME", "BMS", "BME", "QS", "QE", "YS", "YE", "7min", "16h"]
)
def test_regular_frequencies_go_on(freq):
    expect_continuation(pd.date_range("2020-01-01", periods=60, freq=freq), 30)


def test_a_week_that_a_holiday_shifted_does_not_shift_the_next():
    weeks = pd.date_range("2023-01-06", periods=30, freq="W-FRI")
    shifted = weeks[:19].append(pd.DatetimeIndex([weeks[19] - pd.Timedelta(days=1)]))
    assert future_timestamps(shifted, 10).tolist() == weeks[20:].tolist()


def test_the_same_day_of_every_month_goes_on():
    months = pd.DatetimeIndex([pd.Timestamp("2023-01-15") + pd.DateOffset(months=k) for k in range(24)])
    expect_continuation(months, 12)


def test_uneven_times_go_on_by_their_median_step():
    rng = np.random.default_rng(1)
    seconds = np.cumsum(rng.integers(20, 2000, size=500))
    history = pd.DatetimeIndex(pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s"))
    future = future_timestamps(history, 3)
    step = round(np.median(np.diff(seconds)))
    assert np.diff(future) / np.timedelta64(1, "s") == pytest.approx([step, step])


def test_order_and_repetition_do_not_matter():
    times = grid("2024-01-02", "2024-02-01", "15min")
    shuffled = times.append(times[:50])[np.random.default_rng(0).permutation(len(times) + 50)]
    assert future_timestamps(shuffled, 30).tolist() == future_timestamps(times, 30).tolist()


def test_a_single_time_shows_no_step():
    with pytest.raises(InvalidInput, match="1 candle"):
        future_timestamps(pd.DatetimeIndex(["2024-01-01", "2024-01-01"]), 3)


@settings(max_examples=80, deadline=None)
@given(
    steps=st.lists(st.integers(1, 10**6), min_size=1, max_size=80),
    unit=st.sampled_from(["us", "s", "min", "h", "D"]),
    horizon=st.integers(0, 200),
)
def test_any_history_is_continued_by_exactly_the_horizon_in_ascending_order(steps, unit, horizon):
    ceiling = {"us": 10**6, "s": 10**6, "min": 10**4, "h": 200, "D": 9}[unit]
    times = pd.Timestamp("2001-01-01") + pd.to_timedelta(np.cumsum([0, *(s % ceiling + 1 for s in steps)]), unit=unit)
    future = future_timestamps(pd.DatetimeIndex(times), horizon)
    assert len(future) == horizon
    assert future.is_monotonic_increasing
    assert future.is_unique
    assert horizon == 0 or future[0] > times[-1]


@settings(max_examples=25, deadline=None)
@given(
    step=st.sampled_from([5, 15, 30, 60]),
    opens=st.integers(0, 12),
    hours=st.integers(3, 11),
    days=st.sets(st.integers(0, 6), min_size=1, max_size=7),
    known=st.floats(0.5, 0.9),
)
def test_any_weekly_timetable_is_learned_from_a_few_weeks(step, opens, hours, days, known):
    closes = opens + hours
    times = grid("2024-01-01", "2024-02-25", f"{step}min", f"{opens:02d}:00", f"{closes:02d}:00", days)
    expect_continuation(times, int(len(times) * known))


def test_gaps_are_measured_against_the_sessions_not_the_clock():
    times = grid("2024-01-02", "2024-02-01", "5min")
    assert gaps(times).empty
    holed = times.delete(slice(200, 207))
    assert gaps(holed).to_dict() == {times[199]: 7}


def test_a_missing_day_is_a_gap_and_a_weekend_is_none():
    days = pd.bdate_range("2024-01-01", periods=30)
    assert gaps(days.delete(10)).to_dict() == {days[9]: 1}


def test_missing_months_and_weeks_are_gaps():
    for freq in ("MS", "W-FRI", "3D"):
        times = pd.date_range("2020-01-01", periods=40, freq=freq)
        assert gaps(times.delete([10, 11])).tolist() == [2]
