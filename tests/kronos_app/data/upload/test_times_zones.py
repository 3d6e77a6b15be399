"""Offsets, zones and instants: days and hours of the exchange, and nights that a file dates by trading day."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kronos_app.errors import InvalidInput
from tests.kronos_app.data.upload.parsing import codes, parse, times, warnings

DAYS = pd.bdate_range("2024-01-02", "2024-12-20")
ZONES = [
    "Europe/London", "Europe/Berlin", "America/New_York", "America/Chicago", "Australia/Sydney", "Europe/Athens",
    "America/Santiago",
]  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("newest_first", [False, True])
def test_daily_candles_across_a_change_of_clocks_are_days_of_the_exchange(zone, newest_first):
    days = DAYS[::-1] if newest_first else DAYS
    parsed = parse([str(day) for day in days.tz_localize(zone, nonexistent="shift_forward")])
    assert (times(parsed) == days).all()
    assert (parsed.timezone, codes(parsed)) == (zone, {"time_zone"})


def test_hours_across_a_change_of_clocks_are_local_to_the_exchange():
    hours = pd.DatetimeIndex([day + pd.Timedelta(hours=9.5 + k) for day in DAYS for k in range(7)])
    parsed = parse([time.isoformat() for time in hours.tz_localize("America/New_York")])
    assert (times(parsed) == hours).all()
    assert parsed.timezone == "America/New_York"


def test_a_series_that_trades_while_clocks_go_back_is_in_utc():
    instants = pd.date_range("2024-10-20", "2024-11-10", freq="h", tz="UTC")
    parsed = parse([time.isoformat() for time in instants.tz_convert("America/New_York")])
    assert (times(parsed) == instants.tz_localize(None)).all()
    assert (parsed.timezone, warnings(parsed)) == ("UTC", {"mixed_time_zones"})


def test_days_of_a_clock_that_no_zone_has_stay_days():
    # A broker's server: two hours ahead of UTC, three while New York has summer time.
    summer = [bool(day.tz_localize("America/New_York").dst()) for day in DAYS]
    parsed = parse([f"{day:%Y-%m-%d} 00:00:00+0{3 if s else 2}:00" for day, s in zip(DAYS, summer, strict=True)])
    assert (times(parsed) == DAYS).all()
    assert (parsed.timezone, warnings(parsed)) == (None, {"mixed_time_zones"})


@pytest.mark.parametrize(
    "zone",
    [
        "Asia/Shanghai",
        "Asia/Tokyo",
        "Asia/Kolkata",
        "Europe/London",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Sydney",
    ],
)
@pytest.mark.parametrize("form", ["ms", "s", "parquet", "text"])
def test_instants_of_local_midnights_are_days_of_that_zone(zone, form):
    instants = DAYS.tz_localize(zone).tz_convert("UTC")
    cells = {
        "ms": instants.as_unit("ms").asi8,
        "s": instants.as_unit("s").asi8,
        "parquet": pa.array(instants),
        "text": [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in instants],
    }[form]
    parsed = parse(cells)
    assert (times(parsed) == DAYS).all()
    assert parsed.timezone == zone
    assert "exchange_days" in codes(parsed)


def test_weeks_and_months_of_local_midnights_are_weeks_and_months():
    for days in (
        pd.date_range("2023-01-02", periods=60, freq="W-MON"),
        pd.date_range("2020-01-01", periods=40, freq="MS"),
    ):
        parsed = parse(days.tz_localize("Asia/Shanghai").as_unit("ms").asi8)
        assert (times(parsed) == days).all()


def test_days_of_currencies_that_begin_in_new_york_the_evening_before_are_days():
    opens = (DAYS - pd.Timedelta(hours=7)).tz_localize("America/New_York")
    parsed = parse(opens.as_unit("ms").asi8)
    assert (times(parsed) == DAYS).all()
    assert (parsed.timezone, "exchange_days" in warnings(parsed)) == (None, True)


@pytest.mark.parametrize("hour", [8, 14, 16, 20])
def test_daily_candles_of_all_seven_days_stay_instants(hour):
    instants = pd.date_range(f"2024-01-01 {hour}:00", periods=60, freq="D")
    parsed = parse(instants.as_unit("ms").asi8)
    assert (times(parsed) == instants).all()
    assert parsed.timezone == "UTC"


def test_opens_of_daily_sessions_are_no_midnights():
    opens = (DAYS + pd.Timedelta(hours=9.5)).tz_localize("America/New_York")
    assert parse(opens.as_unit("s").asi8).timezone == "UTC"


@pytest.mark.parametrize(
    ("cell", "zone"),
    [
        ("20240102 09:30:00 US/Eastern", "US/Eastern"),
        ("2024-01-02 09:30:00 EST", "UTC-05:00"),
        ("2024-01-02 9:30 AM ET", "America/New_York"),
        ("2024-01-02 09:30 UTC+8", "UTC+08:00"),
        ("2024-01-02T09:30:00+01:00[Europe/Berlin]", "UTC+01:00"),
        ("Tue Jan 02 2024 09:30:00 GMT+0200 (Eastern European Standard Time)", "UTC+02:00"),
        ("Tue, 02 Jan 2024 09:30:00 GMT", "UTC"),
        ("2024-01-02 09:30 Asia/Hong_Kong", "Asia/Hong_Kong"),
    ],
)
def test_zones_written_in_cells_are_read(cell, zone):
    parsed = parse([cell])
    assert (parsed.timezone, times(parsed)[0]) == (zone, pd.Timestamp("2024-01-02 09:30"))


def test_a_midnight_with_a_zone_is_read():
    parsed = parse(["02.01.2024 00:00:00.000 GMT+0200"])
    assert (parsed.timezone, times(parsed)[0]) == ("UTC+02:00", pd.Timestamp("2024-01-02"))


def test_winter_and_summer_abbreviations_together_are_one_zone():
    hours = pd.DatetimeIndex([day + pd.Timedelta(hours=10) for day in DAYS]).tz_localize("America/New_York")
    assert parse([f"{time:%Y-%m-%d %H:%M:%S %Z}" for time in hours]).timezone == "America/New_York"


def test_an_abbreviation_of_several_meanings_is_warned_of():
    assert warnings(parse(["2024-01-02 09:30 CST"])) == {"ambiguous_zone"}


def test_a_zone_that_nobody_knows_is_unreadable():
    assert parse(["2024-01-02 09:30 Mars/Olympus", "2024-01-02 09:30 UTC"]).bad.tolist() == [True, False]


@pytest.mark.parametrize(
    ("header", "zone"),
    [
        ("Gmt time", "UTC"), ("Time (UTC)", "UTC"), ("datetime_utc", "UTC"), ("snapshotTimeUTC", "UTC"),
        ("Time (EST)", "UTC-05:00"), ("时间(北京时间)", "Asia/Shanghai"), ("Time (GMT+2)", "UTC+02:00"),
        ("Date (America/New_York)", "America/New_York"), ("Time (ET)", "America/New_York"), ("Local time", None),
        ("timestamp", None), ("Date", None), ("best time", None),
    ],
)  # fmt: skip
def test_zones_named_by_the_header_are_taken(header, zone):
    parsed = parse(["2024-01-02 09:30"], header=header)
    assert (parsed.timezone, codes(parsed)) == (zone, {"time_zone"} if zone else set())
    assert times(parsed)[0] == pd.Timestamp("2024-01-02 09:30")


def test_a_stated_zone_that_does_not_exist_is_refused_by_name():
    with pytest.raises(InvalidInput) as caught:
        parse(["2024-01-02"], timezone="Mars/Olympus")
    assert "Mars/Olympus" in caught.value.message.render()


# Night sessions


def trading_days(count=10):
    return pd.bdate_range("2024-03-04", periods=count)  # a Monday


def session(days, evening, after_midnight, morning):
    """Return times as a file dates them, and as they were."""
    written, real = [], []
    for day in days:
        before = day - pd.Timedelta(days=3 if day.weekday() == 0 else 1)
        for clocks, on, shift in ((evening, before, 0), (after_midnight, before, 1), (morning, day, 0)):
            written += [day + pd.Timedelta(clock) for clock in clocks]
            real += [on + pd.Timedelta(days=shift) + pd.Timedelta(clock) for clock in clocks]
    return pd.DatetimeIndex(written), pd.DatetimeIndex(real)


EVENING, MORNING = ["21:00:00", "22:00:00", "22:45:00"], ["09:00:00", "10:00:00", "13:30:00", "14:45:00"]


@pytest.mark.parametrize("after_midnight", [[], ["00:00:00", "01:00:00", "02:15:00"]])
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("symbols", [1, 2])
def test_nights_dated_by_trading_day_go_back_to_their_evening(after_midnight, newest_first, symbols):
    written, real = session(trading_days(), EVENING, after_midnight, MORNING)
    if newest_first:
        written, real = written[::-1], real[::-1]
    written, real = written.append([written] * (symbols - 1)), real.append([real] * (symbols - 1))
    parsed = parse([str(time) for time in written])
    assert (times(parsed) == real).all()
    assert warnings(parsed) == {"night_session"}
    assert "night" in parsed.findings[0].message.render()


def test_a_market_that_does_not_pause_opens_on_sunday():
    written, _ = session(trading_days(), ["18:00:00", "23:00:00"], [], [f"{hour:02d}:00:00" for hour in range(17)])
    parsed = parse([str(time) for time in written])
    assert times(parsed)[0] == pd.Timestamp("2024-03-03 18:00")
    assert times(parsed).is_monotonic_increasing


def test_times_in_order_and_rows_in_disorder_stay_as_they_are():
    _, real = session(trading_days(), EVENING, [], MORNING)
    in_order = parse([str(time) for time in real])
    assert (times(in_order) == real).all()
    shuffled = real[np.random.default_rng(1).permutation(len(real))]
    assert (times(parse([str(time) for time in shuffled])) == shuffled).all()
    assert not codes(in_order)


def test_nights_before_some_days_and_behind_others_are_warned_of():
    written, real = session(trading_days(), EVENING, [], MORNING)
    half = len(written) // 2
    mixed = written[:half].append(written[half:].sort_values())
    parsed = parse([str(time) for time in mixed])
    assert (times(parsed) == mixed).all()
    assert warnings(parsed) == {"night_session"}
    swapped = real.to_series().reset_index(drop=True)
    swapped.iloc[[2, 3]] = swapped.iloc[[3, 2]].to_numpy()
    assert not codes(parse([str(time) for time in swapped]))


def trading_hours(zone, start, days, first, last, minutes=30):
    """Return the instants of candles from one hour to another on the clock of a zone, Monday to Friday."""
    clock = pd.DatetimeIndex(
        [
            day + offset
            for day in pd.bdate_range(start, periods=days)
            for offset in pd.timedelta_range(first, last, freq=f"{minutes}min")
        ]
    )
    return clock.tz_localize(zone).tz_convert("UTC")


MARKETS = [
    ("Time (EST)", "America/New_York", "2024-03-04", "09:30:00", "15:30:00"),
    ("Time (CET)", "Europe/Berlin", "2024-03-18", "09:00:00", "17:00:00"),
    ("时间(EET)", "Europe/Athens", "2024-10-14", "10:00:00", "17:00:00"),
]


@pytest.mark.parametrize(("header", "zone", "start", "first", "last"), MARKETS)
def test_a_standard_time_in_the_header_is_the_zone_where_trading_keeps_its_hours_in_summer(
    header, zone, start, first, last
):
    instants = trading_hours(zone, start, 15, first, last)
    parsed = parse([f"{time:%Y-%m-%d %H:%M}" for time in instants.tz_convert(zone)], header=header)
    assert parsed.timezone == zone
    assert (times(parsed).tz_localize(zone) == instants).all()
    assert warnings(parsed) == {"time_zone"}


@pytest.mark.parametrize(("header", "zone", "start", "first", "last"), MARKETS)
def test_a_standard_time_in_the_header_is_an_offset_where_trading_is_an_hour_earlier_in_summer(
    header, zone, start, first, last
):
    instants = trading_hours(zone, start, 15, first, last)
    fixed = {"America/New_York": -5, "Europe/Berlin": 1, "Europe/Athens": 2}[zone]
    cells = instants + pd.Timedelta(hours=fixed)
    parsed = parse([f"{time:%Y-%m-%d %H:%M}" for time in cells], header=header)
    assert parsed.timezone == f"UTC{fixed:+03d}:00"
    assert warnings(parsed) == set()


def test_a_standard_time_in_the_header_stays_an_offset_round_the_clock():
    cells = pd.date_range("2024-03-04", periods=24 * 14, freq="h")
    assert parse([f"{time:%Y-%m-%d %H:%M}" for time in cells], header="Time (EST)").timezone == "UTC-05:00"


@pytest.mark.parametrize("zone", ["Australia/Sydney", "Pacific/Auckland"])
def test_days_that_open_on_a_sunday_in_utc_are_on_the_clock_of_their_exchange(zone):
    opens = (pd.bdate_range("2024-03-01", periods=60) + pd.Timedelta(hours=10)).tz_localize(zone)
    parsed = parse([int(time.timestamp()) for time in opens])
    assert parsed.timezone == zone
    assert (times(parsed) == opens.tz_localize(None)).all()
