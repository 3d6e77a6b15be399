"""Holes in short series: counted where the other days show a candle then, called unclear where nothing does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.calendars import gaps, missing
from kronos_app.data.checks.quality import inspect
from kronos_app.data.draft import Draft

MINUTES = pd.date_range("2020-11-30 05:00", "2020-11-30 09:59", freq="min")
HOUR_LOST = MINUTES[(MINUTES.hour != 7)]


def report(times, *, calendar=None):
    count = len(times)
    close = 100 + np.sin(np.arange(count))
    frame = pd.DataFrame({"timestamp": pd.DatetimeIndex(times).as_unit("ns"), "open": close, "high": close + 1,
                          "low": close - 1, "close": close, "volume": np.arange(count) % 13 + 5.0})  # fmt: skip
    frame.index = pd.RangeIndex(1, count + 1, name="row")
    return inspect(Draft(frame, "x", "upload", about=About(calendar=calendar)), pd.Timestamp("2026-01-01", tz="UTC"))


def trading(days, *hours, freq="5min"):
    parts = [
        pd.date_range(f"{day} {first}", f"{day} {last}", freq=freq, inclusive="left")
        for day in days
        for first, last in hours
    ]
    return parts[0].append(parts[1:])


def unclear(times, **options):
    return [finding for finding in report(times, **options).findings if finding.code == "gaps_unclear"]


def test_an_hour_that_a_morning_lacks_is_called_unclear_and_costs_points():
    found = report(HOUR_LOST)
    finding = next(finding for finding in found.findings if finding.code == "gaps_unclear")
    assert finding.severity == "warning"
    assert "60 candle(s) after 2020-11-30 06:59:00" in finding.message.render()
    assert found.score < 100
    assert not unclear(MINUTES)


def test_by_a_calendar_the_lost_hour_is_counted():
    found = report(HOUR_LOST, calendar="24/7")
    assert found.missing_candles == 60
    assert not unclear(HOUR_LOST, calendar="24/7")


def test_a_lunch_break_of_a_few_days_is_unclear_until_three_days_have_it():
    days = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    hours = ("09:30", "11:30"), ("13:00", "15:00")
    assert unclear(trading(days[:1], *hours))
    assert unclear(trading(days[:2], *hours))
    assert not unclear(trading(days, *hours))
    assert not unclear(trading(days[:1], *hours), calendar="XSHG")


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_what_one_day_lacks_and_the_others_have_is_missing(count):
    days = list(pd.bdate_range("2024-01-08", periods=count).strftime("%Y-%m-%d"))
    whole = trading(days, ("09:30", "16:00"))
    lost = trading(days[count // 2 : count // 2 + 1], ("11:00", "12:00"))
    assert gaps(whole.drop(lost)).to_dict() == {lost[0] - pd.Timedelta("5min"): 12}
    assert missing(whole.drop(lost)).tolist() == lost.tolist()


@pytest.mark.parametrize("days", [2, 4, 6, 9])
def test_minutes_that_a_market_round_the_clock_lacks_are_missing(days):
    whole = pd.date_range("2024-01-02", periods=days * 1440, freq="min")
    assert gaps(whole.delete(slice(700, 760))).to_dict() == {whole[699]: 60}


def test_a_week_of_currencies_has_no_gaps_where_it_opens_and_closes():
    hours = pd.date_range("2024-01-09 00:00", "2024-01-18", freq="h")
    week = hours.day_of_week * 24 + hours.hour
    times = hours[(week < 4 * 24 + 22) | (week >= 6 * 24 + 22)]
    assert gaps(times).empty
    assert not unclear(times)


def test_a_weekend_between_two_days_is_no_hole():
    times = trading(["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-10"], ("09:30", "16:00"))
    assert not unclear(times)
    assert gaps(times).empty
