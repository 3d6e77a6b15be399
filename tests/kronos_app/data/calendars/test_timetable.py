from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.calendars import CALENDARS, future_timestamps, get
from kronos_app.data.calendars.clock import DAY, HOUR
from kronos_app.data.calendars.registry import UNFORESEEN
from kronos_app.data.calendars.timetable import ExchangeCalendar
from tests.kronos_app.data.calendars.conftest import schedule

FIRST, LAST = pd.Timestamp("2015-01-01"), pd.Timestamp("2026-12-31")
EXCHANGES = [key for key, calendar in CALENDARS.items() if isinstance(calendar, ExchangeCalendar)]
SAME_DAYS = {"XNAS": "XNYS", "XSHE": "XSHG"}
BEGINS = {"XSAU": pd.Timestamp("2021-01-01")}  # what exchange_calendars has of it
COLUMNS = ("open", "break_start", "break_end", "close")


def sessions(key, first, last, **how):
    return get(key).sessions(pd.Timestamp(first).value, pd.Timestamp(last).value, **how)


def days(found):
    return [f"{day:%Y-%m-%d}" for day in pd.DatetimeIndex(found.days.astype("datetime64[ns]"))]


def close_of(key, day):
    (hours,) = sessions(key, day, day).hours
    return hours[3] / HOUR


@pytest.mark.parametrize("key", EXCHANGES)
def test_every_session_from_2015_to_2026_is_that_of_exchange_calendars(key):
    first = max(FIRST, BEGINS.get(key, FIRST))
    theirs = schedule(SAME_DAYS.get(key, key), first, LAST)
    ours = sessions(key, first, LAST)
    table = theirs.schedule
    assert days(ours) == [f"{day:%Y-%m-%d}" for day in table.index]
    assert get(key).zone == str(theirs.tz)
    for column, name in enumerate(COLUMNS):
        local = pd.DatetimeIndex((ours.days + ours.hours[:, column]).astype("datetime64[ns]"))
        moments = local.tz_localize(get(key).zone, ambiguous=np.ones(len(local), bool), nonexistent="shift_forward")
        expected = pd.DatetimeIndex(table[name].fillna(table["close"]))
        assert (moments.tz_convert("UTC") == expected).all(), name
    opens = pd.DatetimeIndex((ours.days + ours.hours[:, 0] - ours.shift).astype("datetime64[ns]"), tz="UTC")
    assert (opens == pd.DatetimeIndex(table["open"])).all()


@pytest.mark.parametrize("code", ["XNYS", "XSHG", "XHKG", "XLON", "XTKS", "XTSE", "XASX", "XPAR"])
def test_forecasts_of_twelve_years_fall_on_the_candles_there_were(exchange, code):
    times, zone = exchange(code, "2015-01-02", "2026-11-30", "1h")
    beforehand = sessions(code, FIRST, LAST, foreseen=True)
    unforeseen = pd.DatetimeIndex(np.setdiff1d(beforehand.days, sessions(code, FIRST, LAST).days).astype("M8[ns]"))
    for known in range(700, len(times) - 200, len(times) // 40):
        future = future_timestamps(times[known - 600 : known], 200, zone, code)
        future = future[~future.normalize().isin(unforeseen)]
        assert future.tolist() == times[known : known + len(future)].tolist()


@pytest.mark.parametrize(
    ("key", "day", "hour"),
    [
        ("XNYS", "2024-07-03", 13), ("XNYS", "2024-11-29", 13), ("XNYS", "2024-12-02", 16),
        ("XLON", "2024-12-24", 12.5),
        ("XHKG", "2024-12-24", 12), ("XPAR", "2024-12-31", 14 + 5 / 60), ("XTKS", "2024-11-01", 15),
        ("XTKS", "2024-11-05", 15.5), ("24/5", "2024-11-05", 17), ("24/7", "2024-11-02", 24),
    ],
)  # fmt: skip
def test_early_closes_and_longer_days_are_known(key, day, hour):
    assert close_of(key, day) == pytest.approx(hour)


def test_a_lunch_break_is_part_of_a_session_and_a_half_day_has_none():
    whole, half = sessions("XHKG", "2024-12-23", "2024-12-24").hours / HOUR
    assert whole.tolist() == [9.5, 12, 13, 16]
    assert half.tolist() == [9.5, 12, 12, 12]


@pytest.mark.parametrize("code", sorted(UNFORESEEN))
def test_what_nobody_knew_is_closed_afterwards_and_open_beforehand(code):
    for day in UNFORESEEN[code]:
        assert days(sessions(code, day, day)) == [], day
        before = sessions(code, day, day, foreseen=True)
        assert days(before) == [day]
        usual = sessions(code, pd.Timestamp(day) - pd.Timedelta(days=60), day).patterns
        assert tuple(before.hours[0]) in [pattern[:4] for pattern, _ in usual]


def test_beyond_what_is_recorded_workdays_have_the_usual_hours():
    assert days(sessions("XSHG", "2026-12-30", "2027-01-05"))[-3:] == ["2027-01-01", "2027-01-04", "2027-01-05"]
    assert (sessions("XSHG", "2030-01-01", "2030-01-31").hours / HOUR == [9.5, 11.5, 13, 15]).all()
    assert days(sessions("XSAU", "2045-01-01", "2045-01-08")) == [f"2045-01-0{n}" for n in (1, 2, 3, 4, 5, 8)], (
        "Sundays"
    )
    early = sessions("XTKS", "1995-01-01", "1995-01-31")
    assert len(early) == 22
    assert (np.diff(sessions("XTKS", "1996-12-01", "1997-01-31").days) > 0).all()


def test_a_long_history_is_read_further_back():
    assert days(sessions("XNYS", "1929-10-28", "1929-11-04")) == [
        "1929-10-28", "1929-10-29", "1929-10-30", "1929-10-31", "1929-11-04",
    ]  # fmt: skip
    assert days(sessions("XNYS", "1999-12-30", "2000-01-03")) == ["1999-12-30", "1999-12-31", "2000-01-03"]


def test_currencies_open_the_evening_before_and_know_when_clocks_change():
    week = sessions("24/5", "2024-03-04", "2024-03-17")
    assert len(week) == 10
    assert (week.hours[:, 0] == -7 * HOUR).all()
    assert (week.shift / HOUR).tolist() == [-5] * 5 + [-4] * 5


def test_no_exchange_is_missing_that_people_ask_for():
    wanted = [
        "XNYS",
        "XNAS",
        "XSHG",
        "XSHE",
        "XHKG",
        "XLON",
        "XTKS",
        "XKRX",
        "XBOM",
        "XETR",
        "XPAR",
        "XASX",
        "XTSE",
        "XTAI",
        "XSES",
        "XSWX",
        "24/7",
        "24/5",
    ]
    assert set(wanted) <= set(CALENDARS)
    assert all(calendar.key == key for key, calendar in CALENDARS.items())


def test_sessions_of_a_day_without_any_are_none():
    assert len(sessions("XNYS", "2024-07-04", "2024-07-04")) == 0
    assert len(sessions("24/7", "2024-07-04", "2024-07-04")) == 1
    assert sessions("24/7", "2024-07-04", "2024-07-05").days.tolist() == [
        pd.Timestamp("2024-07-04").value,
        pd.Timestamp("2024-07-04").value + DAY,
    ]
