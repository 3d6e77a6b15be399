"""Times of files as vendors and programs write them: forms, orders, columns, and what is said about them."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kronos_app.data.upload.columns import ALIASES, named_times, plain
from kronos_app.data.upload.times import formats
from kronos_app.errors import InvalidInput
from tests.kronos_app.data.upload.parsing import codes, parse, times, warnings

WORKING_DAYS = pd.bdate_range("2024-01-02", periods=100)
MORNING = pd.date_range("2024-01-02 09:30", periods=40, freq="5min")


# Written forms


@pytest.mark.parametrize(
    "cell",
    [
        "2024年1月2日 上午9:30", "2024/1/2 上午 9:30:00", "2024년 1월 2일 오전 9시 30분", "2024. 1. 2. 9:30",
        "2024/01/02(火) 9:30", "2024-01-02,二 09:30", "星期二 2024-01-02 09:30", "Tue 2024-01-02 09:30",
        "2024-01-02 Tue 09:30", "02JAN2024:09:30:00", "2-Jan-24 9:30", "Jan 2, 2024 9:30 AM",
        "Tuesday, January 2nd, 2024 9:30 a.m.", "Tue Jan  2 09:30:00 2024", "2. Januar 2024 09:30",
        "2 janv. 2024 09:30", "２０２４年１月２日 ９:３０", "'2024-01-02 09:30", '="2024-01-02 09:30"',
        "2024-01-02 093000", "2024-01-02 09:30:00:000", "2024-01-02_09:30", "2024-01-02-09:30",
        "113/01/02 09:30*",
        "民國113年1月2日 09:30",
    ],
)  # fmt: skip
def test_spellings_of_many_countries_are_read(cell):
    parsed = parse([cell])
    assert times(parsed)[0] == pd.Timestamp("2024-01-02 09:30")
    assert not warnings(parsed)


@pytest.mark.parametrize(
    ("cells", "days"),
    [
        (["2024-01", "2024-02"], ["2024-01-01", "2024-02-01"]),
        (["Jan-24", "Feb-24"], ["2024-01-01", "2024-02-01"]),
        (["01/2024", "02/2024"], ["2024-01-01", "2024-02-01"]),
        (["99/12/31", "100/01/03"], ["2010-12-31", "2011-01-03"]),
        (["1121229", "1130102"], ["2023-12-29", "2024-01-02"]),
        (["02/01/2567", "15/01/2567"], ["2024-01-02", "2024-01-15"]),
        (["20240102 24:00", "2024-01-03 24:00:00"], ["2024-01-03", "2024-01-04"]),
        (["20240102093500000", "20240102094000000"], ["2024-01-02 09:35", "2024-01-02 09:40"]),
        (["31012024", "01022024"], ["2024-01-31", "2024-02-01"]),
        (["202311", "202312", "202401"], ["2023-11-01", "2023-12-01", "2024-01-01"]),
    ],
)
def test_months_eras_and_ends_of_days_are_read(cells, days):
    assert times(parse(cells)).tolist() == [pd.Timestamp(day) for day in days]


def test_numbers_with_a_time_of_day_are_dates_in_any_type():
    digits = np.array([20240102093000, 20240102093500])
    for cells in (digits, digits.astype(float), digits.astype(str), [f"{number}.0" for number in digits]):
        assert times(parse(cells)).tolist() == list(MORNING[:2])


def test_cells_that_repeat_are_read_like_others():
    parsed = parse(["2024-01-02 09:30", None, "soon", "2024-01-02 09:35"] * 50)
    assert parsed.bad.tolist() == [False, False, True, False] * 50
    assert np.isnat(parsed.values).tolist() == [False, True, True, False] * 50
    assert set(times(parsed).dropna()) == set(MORNING[:2])


def test_few_decimals_of_a_spreadsheet_lose_no_second():
    days = [45_293 + round((9.5 * 3600 + 300 * k) / 86_400, 5) for k in range(40)]
    assert (times(parse(days)) == MORNING).all()
    assert (times(parse(["2024-01-02"] * 40, [day - 45_293 for day in days])) == MORNING).all()


def test_days_since_1970_are_told_from_days_of_a_spreadsheet_by_their_weekends():
    counted = (WORKING_DAYS - pd.Timestamp("1970-01-01")).days
    assert (times(parse(pa.array(counted))) == WORKING_DAYS).all()
    assert (times(parse(pa.array(counted + 25_569))) == WORKING_DAYS).all()


def test_ticks_of_dotnet_are_no_nanoseconds():
    assert (times(parse([time.value // 100 + 621_355_968_000_000_000 for time in MORNING])) == MORNING).all()
    in_1990 = pd.date_range("1990-01-02", periods=40, freq="5min")
    assert (times(parse(in_1990.as_unit("ns").asi8)) == in_1990).all()


# The order of day, month and year


@pytest.mark.parametrize(
    "form", ["%y/%m/%d", "%y-%m-%d", "%y.%m.%d", "%y%m%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d%m%y"]
)
def test_two_digit_years_are_found_by_the_whole_column(form):
    parsed = parse([day.strftime(form) for day in WORKING_DAYS])
    assert (times(parsed) == WORKING_DAYS).all()
    assert not warnings(parsed)


def test_digits_of_a_date_are_dates_whatever_spreadsheets_would_make_of_them():
    days = pd.bdate_range("2005-01-11", periods=200)
    assert (times(parse([day.strftime("%y%m%d") for day in days])) == days).all()
    assert (times(parse([int(day.strftime("%y%m%d")) for day in days])) == days).all()  # 050111 as 50111


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%d.%m.%Y %H:%M"])
def test_dates_with_dots_have_the_day_first(form):
    months = pd.date_range("2019-01-01", periods=60, freq="MS")
    parsed = parse([month.strftime(form) for month in months])
    assert (times(parsed) == months).all()
    assert not codes(parsed)


def test_one_day_that_may_be_either_is_read_with_a_warning_that_quotes_it():
    clock = [f"24/01/05 {time:%H:%M}" for time in MORNING]
    parsed = parse(clock)
    assert times(parsed)[0] == pd.Timestamp("2024-01-05 09:30")
    assert warnings(parsed) == {"ambiguous_dates"}
    assert "“24/01/05”" in parsed.findings[0].message.render()


def test_times_in_the_future_are_warned_of():
    assert warnings(parse(["2190-01-01", "2190-01-02"])) == {"future_times"}


@pytest.mark.parametrize(
    "cells", [["090000", "090500", "091000"], [93000, 93100, 94500], ["130500000", "131000000"], ["9:30", "9:35"]]
)
def test_a_time_of_day_alone_is_no_date(cells):
    assert parse(cells).bad.all()


# A date and a clock in two columns

DATES = ["2024-01-02"] * 20 + ["2024-01-03"] * 20
CLOCKS = [f"{time:%H:%M:%S}" for time in MORNING[:20]] * 2
JOINED = MORNING[:20].append(MORNING[:20] + pd.Timedelta(days=1))


def clock_forms():
    seconds = [int(pd.Timedelta(clock).total_seconds()) for clock in CLOCKS]
    days = pd.to_datetime(DATES)
    digits = [int(clock.replace(":", "")) for clock in CLOCKS]
    return {
        "text": (DATES, CLOCKS),
        "minutes": (DATES, [clock[:5] for clock in CLOCKS]),
        "halves": (DATES, [pd.Timestamp(clock).strftime("%I:%M %p") for clock in CLOCKS]),
        "digits": (DATES, [f"{number:06d}" for number in digits]),
        "HMMSS": ([day.replace("-", "") for day in DATES], [str(number) for number in digits]),
        "HHMM": ([int(day.replace("-", "")) for day in DATES], [number // 100 for number in digits]),
        "HHMMSSmmm": (DATES, [number * 1000 for number in digits]),
        "seconds of the day": (DATES, seconds),
        "milliseconds of the day": (DATES, [second * 1000 for second in seconds]),
        "fractions of the day": (DATES, [second / 86_400 for second in seconds]),
        "midnights": ([f"{day} 00:00:00" for day in DATES], CLOCKS),
        "yymmdd": ([day[2:].replace("-", "") for day in DATES], CLOCKS),
        "spreadsheet": ([45_293] * 20 + [45_294] * 20, CLOCKS),
        "spreadsheet's zero": (DATES, [f"1899-12-30 {clock}" for clock in CLOCKS]),
        "date32": (pa.array(days.date), pa.array([datetime.time.fromisoformat(clock) for clock in CLOCKS])),
        "timestamp": (pa.array(days), CLOCKS),
        "whole times": (DATES, [f"{day} {clock}" for day, clock in zip(DATES, CLOCKS, strict=True)]),
        "17 digits": (DATES, [f"{time:%Y%m%d%H%M%S}000" for time in JOINED]),
        "time alone": ([str(time) for time in JOINED], CLOCKS),
        "empty": ([str(time) for time in JOINED], [None] * 40),
    }


@pytest.mark.parametrize("form", clock_forms())
def test_a_date_and_a_clock_are_joined_whatever_their_form(form):
    parsed = parse(*clock_forms()[form])
    assert (times(parsed) == JOINED).all()
    assert not parsed.bad.any()


def test_an_unreadable_clock_is_shown_with_its_date():
    parsed = parse(["2024-01-02", "2024-01-02"], ["09:30", "soon"])
    assert parsed.bad.tolist() == [False, True]
    assert parsed.cells[1].as_py() == "2024-01-02 soon"


def test_the_last_minute_of_a_day_may_be_called_24_00():
    assert times(parse(["2024-01-02"] * 2, ["2359", "2400"]))[1] == pd.Timestamp("2024-01-03")


# Names of columns


@pytest.mark.parametrize(
    ("headers", "chosen"),
    [
        (["<TICKER>", "<DTYYYYMMDD>", "<TIME>"], {"date": 1, "clock": 2}),
        (["open", "close", "begin", "end"], {"timestamp": 2}),
        (["symbol", "eob", "open", "bob"], {"timestamp": 3}),
        (["timeOpen", "timeClose", "timestamp"], {"timestamp": 0}),
        (["Date", "Timestamp", "Open"], {"date": 0, "clock": 1}),
        (["unix", "date", "symbol"], {"timestamp": 1}),
        (["open", "close_time"], {"timestamp": 1}),
        (["date", "time", "code"], {"date": 0, "clock": 1}),
        (["TradingDay", "ActionDay", "time"], {"date": 1, "clock": 2}),
        (["일자", "종가"], {"timestamp": 0}),
        (["open", "high"], {}),
    ],
)
def test_the_start_of_a_candle_comes_first_and_a_date_takes_its_clock(headers, chosen):
    assert named_times(headers) == chosen


@pytest.mark.parametrize(
    "header",
    [
        "window_start",
        "ts_event",
        "startTime",
        "start",
        "begin",
        "time_key",
        "t",
        "日付",
        "TradDt",
        "TIMESTAMP",
        "time_period_start",
        "MTS",
    ],
)
def test_names_of_vendors_are_known(header):
    assert plain(header) in ALIASES["timestamp"]


def test_a_file_that_knows_only_the_ends_of_candles_says_so():
    assert warnings(parse(["2024-01-02 09:35"], header="close_time")) == {"end_times"}


# What a user states


@pytest.mark.parametrize(
    ("cells", "time_format", "first"),
    [
        (["03/04/2024", "04/04/2024"], "day_first", "2024-04-03"),
        (["03/04/2024", "04/04/2024"], "month_first", "2024-03-04"),
        (["240103", "240104"], "year_first", "2024-01-03"),
        (["030124", "040124"], "day_first", "2024-01-03"),
        ([1704153600, 1704153660], "epoch_s", "2024-01-02"),
        (["1704153600000"], "epoch_ms", "2024-01-02"),
        ([12.5, 13.5], "spreadsheet_days", "1900-01-11 12:00"),
        (["02|2024|01"], "%d|%Y|%m", "2024-01-02"),
        (["2024-01-02T03:00+0100"], "%Y-%m-%dT%H:%M%z", "2024-01-02 02:00"),
    ],
)
def test_a_stated_format_is_used(cells, time_format, first):
    parsed = parse(cells, time_format=time_format)
    assert times(parsed)[0] == pd.Timestamp(first)
    assert not warnings(parsed)


def test_a_stated_pattern_reads_date_and_clock_together_or_the_date_alone():
    assert times(parse(["02|01|2024"], ["9.30"], time_format="%d|%m|%Y %H.%M"))[0] == pd.Timestamp("2024-01-02 09:30")
    assert times(parse(["02|01|2024"], ["09:30"], time_format="%d|%m|%Y"))[0] == pd.Timestamp("2024-01-02 09:30")


@pytest.mark.parametrize("time_format", ["epoch_ms", "%d/%m/%Y", "day_first"])
def test_a_format_that_no_cell_has_is_refused_by_name(time_format):
    with pytest.raises(InvalidInput) as caught:
        parse(["soon", "later"], time_format=time_format)
    assert time_format in caught.value.message.render()
    assert "soon" in caught.value.message.render()


@pytest.mark.parametrize("time_format", ["", "dd/mm/yyyy", "%Q", "%d" * 60])
def test_what_is_no_format_is_refused(time_format):
    with pytest.raises(InvalidInput) as caught:
        parse(["2024-01-02"], time_format=time_format)
    assert caught.value.code == "unknown_time_format"


def test_every_named_format_has_a_label():
    assert set(formats.LABELS) == set(formats.NAMES)
    assert all(label.render() for label in formats.LABELS.values())


def test_times_that_do_not_fit_are_bad_cells():
    parsed = parse(pa.array([0, 2**64 - 1], pa.uint64()))
    assert parsed.bad.tolist() == [False, True]
    far = pa.array([0, 2**60], pa.int64()).cast(pa.timestamp("s"))
    assert parse(far).bad.tolist() == [False, True]
    assert np.isnat(parse(["e1"]).values).all()


@pytest.mark.parametrize("first", ["1970-01-01", "1960-01-01"])
def test_days_since_a_program_s_first_day_are_working_days_where_a_spreadsheet_s_are_not(first):
    days = pd.bdate_range("2024-01-02", periods=30)
    parsed = parse([str((day - pd.Timestamp(first)).days) for day in days])
    assert (times(parsed) == days).all()
    assert codes(parsed) == {"numeric_times"}


@pytest.mark.parametrize("cell", ["2024-02-26-09-30", "2024-02-26_09-30-00", "26.02.2024 09.30", "26/02/2024 9.30.00"])
def test_a_clock_of_hyphens_or_points_is_read(cell):
    assert times(parse([cell]))[0] == pd.Timestamp("2024-02-26 09:30")
