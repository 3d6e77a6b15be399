import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from kronos_app.data import sample
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.checks.repair import apply
from kronos_app.data.resample import choices, resample
from kronos_app.errors import InvalidInput


def candles(times, timezone=None):
    count = len(times)
    close = 100 + np.arange(count) % 7 + np.arange(count) / 100
    frame = pd.DataFrame({
        "timestamp": pd.DatetimeIndex(times).as_unit("ns"),
        "open": close - 0.5,
        "high": close + 1.0,
        "low": close - 1.0,
        "close": close,
        "volume": np.arange(count, dtype=float),
    })  # fmt: skip
    return CandleFrame(frame, "x", "test", timezone)


def sessions(days, *hours, freq="15min"):
    """Return times within the `hours`, (from, to) with both ends, of each weekday."""
    out = []
    for day in pd.bdate_range("2024-03-04", periods=days):
        for first, last in hours:
            out += list(pd.date_range(f"{day:%Y-%m-%d} {first}", f"{day:%Y-%m-%d} {last}", freq=freq))
    return out


def clock(made):
    return sorted(set(made.candles.timestamps.strftime("%H:%M")))


def test_volume_is_summed_and_prices_are_first_highest_lowest_last():
    before = candles(pd.date_range("2024-01-01", periods=96 * 3, freq="15min"))
    made = resample(before, "1h").candles
    first = before.frame.head(4)
    assert made.frame.iloc[0, 1:].tolist() == [
        first["open"].iloc[0],
        first["high"].max(),
        first["low"].min(),
        first["close"].iloc[-1],
        first["volume"].sum(),
    ]
    assert made.interval == pd.Timedelta("1h")
    assert made.about.interval == "1h"


def test_within_the_day_candles_count_from_the_open_and_end_with_the_session():
    made = resample(candles(sessions(20, ("09:30", "15:45"))), "1h")
    assert clock(made) == ["09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30"]
    assert clock(resample(candles(sessions(20, ("09:30", "15:45"))), "4h")) == ["09:30", "13:30"]


def test_no_candle_spans_a_lunch_break_and_names_by_the_end_stay_so():
    shanghai = candles(sessions(20, ("09:45", "11:30"), ("13:15", "15:00")))
    assert clock(resample(shanghai, "1h")) == ["10:30", "11:30", "14:00", "15:00"]
    by_start = candles(sessions(20, ("09:30", "11:15"), ("13:00", "14:45")))
    assert clock(resample(by_start, "1h")) == ["09:30", "10:30", "13:00", "14:00"]


def test_an_evening_session_belongs_to_the_day_after_and_friday_evening_to_monday():
    times = []
    for day in pd.bdate_range("2024-03-04", periods=30):
        times += list(pd.date_range(day + pd.Timedelta("9h"), day + pd.Timedelta("14h30min"), freq="30min"))
        times += list(pd.date_range(day + pd.Timedelta("21h"), day + pd.Timedelta("25h30min"), freq="30min"))
    made = resample(candles(times), "1d").candles
    assert set(made.timestamps.day_of_week) == {0, 1, 2, 3, 4}
    assert len(made) == 29  # the first has no evening before it, the last no day after it
    volume = candles(times).frame["volume"]
    assert made.frame["volume"].iloc[0] == volume[12:34].sum()


def test_a_currency_week_that_opens_on_sunday_evening_has_five_days():
    hours = pd.date_range("2024-01-07 22:00", "2024-03-01 21:00", freq="1h")
    offset = (hours.day_of_week * 24 + hours.hour).to_numpy()
    opened = hours[((offset >= 6 * 24 + 22) | (offset < 4 * 24 + 22))]
    made = resample(candles(opened, "UTC"), "1d").candles
    assert set(made.timestamps.day_of_week) == {0, 1, 2, 3, 4}
    assert (made.timestamps[0], len(made)) == (pd.Timestamp("2024-01-08"), 40)


def test_what_is_not_complete_at_either_end_is_left_out_and_said():
    before = candles(pd.date_range("2024-01-01 00:30", "2024-01-08 10:30", freq="15min"))
    made = resample(before, "1h")
    assert (made.candles.timestamps[0], made.candles.timestamps[-1]) == (
        pd.Timestamp("2024-01-01 01:00"),
        pd.Timestamp("2024-01-08 09:00"),
    )
    said = made.step.message.render()
    assert "The incomplete first candle" in said
    assert "The incomplete last candle" in said


def test_weeks_begin_on_monday_and_months_on_their_first():
    loaded = apply(sample.load("sp500")).candles
    weeks = resample(loaded, "1w").candles
    assert set(weeks.timestamps.day_of_week) == {0}
    months = resample(loaded, "1mo").candles
    assert set(months.timestamps.day) == {1}
    assert months.frame["close"].iloc[0] == loaded.frame.set_index("timestamp")["close"]["1999-01"].iloc[-1]


def test_only_coarser_intervals_and_multiples_are_offered():
    assert choices(pd.Timedelta("30min")) == ["1h", "2h", "4h", "1d", "1w", "1mo"]
    assert choices(pd.Timedelta("45min")) == ["1d", "1w", "1mo"]
    assert choices(pd.Timedelta("1D")) == ["1w", "1mo"]
    assert choices(pd.Timedelta(0)) == []
    with pytest.raises(InvalidInput, match="1h"):
        resample(candles(pd.date_range("2024-01-01", periods=30)), "1h")
    with pytest.raises(InvalidInput, match="no complete candle"):
        resample(candles(pd.date_range("2024-01-03", periods=3)), "1mo")


@profile(max_examples=40, deadline=None)
@given(
    step=st.sampled_from(["5min", "15min", "1h", "4h", "1D"]),
    count=st.integers(30, 1500),
    drop=st.sets(st.integers(1, 29), max_size=8),
    data=st.data(),
)
def test_nothing_is_lost_but_at_the_ends_and_time_ascends(step, count, drop, data):
    times = pd.date_range("2024-01-03 07:00", periods=count, freq=step).delete(sorted(drop))
    before = candles(times)
    target = data.draw(st.sampled_from(choices(before.interval)))
    try:
        made = resample(before, target).candles
    except InvalidInput:
        return
    assert made.timestamps.is_monotonic_increasing
    assert made.timestamps.is_unique
    assert made.frame["high"].max() <= before.frame["high"].max()
    assert (made.frame["high"] >= made.frame[["open", "close"]].max(axis=1)).all()
    inner = before.frame["volume"].sum() - made.frame["volume"].sum()
    assert 0 <= inner <= before.frame["volume"].sum()
    assert len(made) <= len(before)


def in_utc(times, zone):
    return times.tz_localize(zone).tz_convert("UTC").tz_localize(None)


@pytest.mark.parametrize("timezone", ["UTC", None])
def test_sessions_told_in_utc_are_divided_alike_before_and_after_a_change_of_clocks(timezone):
    local = pd.DatetimeIndex([
        day + pd.Timedelta(hours=hour)
        for day in pd.bdate_range("2024-01-08", "2024-05-17")
        for hour in np.arange(9.5, 16, 0.5)
    ])  # fmt: skip
    before = candles(in_utc(local, "America/New_York"), timezone)
    made = resample(before, "2h").candles
    opened = made.timestamps.tz_localize("UTC").tz_convert("America/New_York").strftime("%H:%M")
    assert set(opened) == {"09:30", "11:30", "13:30", "15:30"}
    days = resample(before, "1d").candles
    assert set(days.timestamps.day_of_week) == {0, 1, 2, 3, 4}
    assert len(days) == 95


def test_a_week_of_currencies_told_in_utc_has_five_days_whatever_clocks_do():
    hours = pd.date_range("2024-01-07", "2024-05-20", freq="h", tz="UTC")
    local = hours.tz_convert("America/New_York")
    week = local.day_of_week * 24 + local.hour
    times = hours[(week < 4 * 24 + 17) | (week >= 6 * 24 + 17)].tz_localize(None)
    days = resample(candles(times, "UTC"), "1d").candles
    assert set(days.timestamps.day_of_week) == {0, 1, 2, 3, 4}
    assert set(np.diff(times.searchsorted(days.timestamps))) <= {23, 24, 25}


def test_weeks_of_days_that_begin_at_midnight_in_london_hold_monday_to_friday():
    times = in_utc(pd.bdate_range("2024-01-01", "2024-06-28"), "Europe/London")
    made = resample(candles(times, "UTC"), "1w").candles
    volume = np.arange(130.0).reshape(26, 5).sum(axis=1)
    assert made.frame["volume"].tolist() == volume.tolist()
    assert made.timestamps[0] == pd.Timestamp("2024-01-01")
