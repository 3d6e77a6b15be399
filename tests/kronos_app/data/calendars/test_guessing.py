from __future__ import annotations

import time

import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.calendars import CALENDARS, with_calendar
from kronos_app.data.calendars.guessing import UNCLEAR
from kronos_app.data.calendars.names import PREFIXES, SUFFIXES
from kronos_app.data.draft import Draft
from kronos_app.data.yahoo.source import HOME_EXCHANGES, calendar_of
from kronos_app.errors import InvalidInput


def draft(name, *, source="upload", timezone=None, **about):
    return Draft(pd.DataFrame(), name, source, timezone, about=About(**about))


# by time zone, then by symbol
YAHOO_CALENDARS = {
    "America/New_York": {"AAPL": "XNYS", "^GSPC": "XNYS", "BRK-B": "XNYS", "ES=F": "CMES", "WHAT.EVER": None},
    "Asia/Hong_Kong": {"^HSI": "XHKG", "0700.HK": "XHKG"},
    "Asia/Shanghai": {"600519.SS": "XSHG", "000001.SZ": "XSHE"},
    "Asia/Tokyo": {"7203.T": "XTKS"},
    "Europe/London": {"VOD.L": "XLON", "EURUSD=X": "24/5"},
    "UTC": {"BTC-USD": "24/7"},
    None: {"AAPL": None},
}


@pytest.mark.parametrize(
    ("symbol", "timezone", "expected"),
    [(symbol, zone, calendar) for zone, symbols in YAHOO_CALENDARS.items() for symbol, calendar in symbols.items()],
)
def test_yahoo_says_by_suffix_and_zone_where_a_symbol_is_traded(symbol, timezone, expected):
    assert calendar_of(symbol, timezone) == expected


@pytest.mark.parametrize(
    ("symbol", "timezone", "expected"),
    [
        ("BTC/USDT", "UTC", "24/7"),
        ("BTCUSDT", None, "24/7"),
        ("ETH/USDT:USDT", "UTC", "24/7"),
        ("btc-usd", None, "24/7"),
        ("BTCEUR", None, "24/7"),
        ("EURUSD", None, "24/5"),
        ("USD/JPY", "UTC", "24/5"),
        ("XAUUSD", None, "24/5"),
        ("600519", None, "XSHG"),
        ("SH600519", None, "XSHG"),
        ("sz.000001", None, "XSHE"),
        ("000001", "Asia/Shanghai", "XSHE"),
        ("300750.SZ", None, "XSHE"),
        ("600519.XSHG", None, "XSHG"),
        ("000660", "Asia/Seoul", "XKRX"),
        ("000660", None, None),
        ("500325", "Asia/Kolkata", "XBOM"),
        ("7203", None, None),
        ("7203", "Asia/Tokyo", "XTKS"),
        ("7203", "UTC+09:00", "XTKS"),
        ("SHSE.600519", None, "XSHG"),
        ("HK.00700", None, "XHKG"),
        ("US.AAPL", None, "XNYS"),
        ("BJ430047", None, "XSHG"),
        ("AAPL", None, None),
        ("prices", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_elsewhere_only_what_is_plain_is_guessed(symbol, timezone, expected):
    assert with_calendar(draft("", timezone=timezone, symbol=symbol)).about.calendar == expected


def test_every_guess_is_a_calendar_there_is():
    assert {*SUFFIXES.values(), *HOME_EXCHANGES.values(), *PREFIXES.values()} <= set(CALENDARS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("600519.SS.csv", "XSHG"),
        ("BTCUSDT_1h.csv.gz", "24/7"),
        ("EURUSD 5min.parquet", "24/5"),
        ("my data.csv", None),
        ("BTC_USDT-1h.csv", "24/7"),
        ("BTCUSDT-1h-2025-01.zip", "24/7"),
        ("BINANCE_BTCUSDT, 60.csv", "24/7"),
        ("Binance_BTCUSDT_1h.csv", "24/7"),
        ("SH#600519.txt", "XSHG"),
        ("BTC_USDT_USDT-1h-futures.feather", "24/7"),
        ("OKX_BTCUSDT.P, 240.csv", "24/7"),
        ("ETHBTC.csv", "24/7"),
        ("BTC-USDT-SWAP-1H.csv", "24/7"),
        ("btcusd_1-min_data.csv", "24/7"),
        ("XBTUSD_60.csv", "24/7"),
        ("DAT_ASCII_EURUSD_M1_2023.csv", "24/5"),
        ("FX_IDC_EURUSD, 60.csv", "24/5"),
        ("EURUSD60.csv", "24/5"),
        ("EURUSD_Candlestick_1_Hour_BID_01.01.2024-02.02.2024.csv", "24/5"),
        ("xauusd-h1-bid-2024-01-01.csv", "24/5"),
        ("SZ#000001.txt", "XSHE"),
        ("SSE_DLY_600519, 1D.csv", "XSHG"),
        ("NASDAQ_AAPL, 60.csv", "XNAS"),
        ("HKEX_700, 1D.csv", "XHKG"),
        ("CME_MINI_ES1!, 60.csv", "CMES"),
        ("CME_BTC1!, 60.csv", "CMES"),
        ("ES=F.csv", "CMES"),
        ("EURUSD=X.csv", "24/5"),
        ("AAPL_2023.csv", None),
        ("AAPL_1h.csv", None),
        ("GBTC.csv", None),
        ("model-2024-01.csv", None),
    ],
)
def test_a_file_without_symbol_is_known_by_its_name(name, expected):
    assert with_calendar(draft(name)).about.calendar == expected


def test_what_was_said_counts_more_than_what_is_known_and_that_more_than_a_guess():
    known = draft("x.csv", symbol="BTCUSDT", calendar="XNYS", currency="USD")
    assert with_calendar(known) is known
    assert with_calendar(known, "XHKG").about == About(symbol="BTCUSDT", calendar="XHKG", currency="USD")
    assert with_calendar(known, "learned").about.calendar is None
    assert with_calendar(draft("x.csv", symbol="BTCUSDT")).about.calendar == "24/7"
    with pytest.raises(InvalidInput, match="no calendar"):
        with_calendar(known, "XXXX")


def with_times(name, times, *, timezone=None, columns=()):
    frame = pd.DataFrame({"timestamp": pd.DatetimeIndex(times).as_unit("ns")})
    return Draft(frame, name, "upload", timezone, columns={column: column for column in columns})


@pytest.mark.parametrize(
    ("name", "calendar"),
    [("000001", "XSHE"), ("600519", "XSHG"), ("510300", "XSHG"), ("005930", "XKRX"), ("500325", "XBOM"),
     ("7203", "XTKS"), ("2330", "XTAI"), ("00700", "XHKG"), ("0700", "XHKG"), ("00878", "XTAI"), ("2222", "XSAU"),
     ("130A", "XTKS")],
)  # fmt: skip
@pytest.mark.parametrize("step", ["1D", "15min", "1h"])
def test_of_the_exchanges_that_number_alike_the_candles_tell_which(days, exchange, name, calendar, step):
    kept = {"XSHE": "XSHG"}.get(calendar, calendar)  # Shenzhen keeps the timetable of Shanghai
    if step == "1D":
        times = days(kept, "2023-03-01", "2024-02-29")
        for known in (times, times.delete([20, 21, 90])):
            assert with_calendar(with_times(f"{name}.csv", known)).about.calendar == calendar
        return
    times, _ = exchange(kept, "2024-01-08", "2024-02-08", step)
    assert with_calendar(with_times(f"{name}.csv", times)).about.calendar == calendar


def test_where_candles_fit_several_calendars_none_is_guessed_and_all_are_named():
    weekdays = pd.bdate_range("2024-01-02", "2024-02-08")
    for name, named in (("005930.csv", "XSHE, XKRX"), ("500325.csv", "XSHG, XKRX")):
        unclear = with_calendar(with_times(name, weekdays))
        assert unclear.about.calendar is None
        assert [finding.code for finding in unclear.findings] == [UNCLEAR]
        assert named in unclear.findings[0].message.render()
        assert with_calendar(unclear) == unclear
        chosen = with_calendar(unclear, "XKRX")
        assert (chosen.about.calendar, chosen.findings) == ("XKRX", ())


@pytest.mark.parametrize(
    ("columns", "calendar"),
    [(("日期", "开盘", "收盘"), "XSHE"), (("날짜", "시가", "종가"), "XKRX"), (("Date", "Open", "Close"), None)],
)
def test_the_language_of_the_columns_tells_the_country_where_candles_do_not(columns, calendar):
    weekdays = pd.bdate_range("2024-01-02", "2024-02-08")
    assert with_calendar(with_times("000020.csv", weekdays, columns=columns)).about.calendar == calendar


@pytest.mark.parametrize("name", ["600519.csv", "005930.csv", "7203.csv", "2024.csv", "US_500.csv", "SIX_months.csv"])
def test_candles_on_the_holidays_of_an_exchange_are_none_of_its(name):
    london = pd.bdate_range("2023-01-02", "2023-12-29").drop(["2023-04-07", "2023-04-10", "2023-12-25", "2023-12-26"])
    assert with_calendar(with_times(name, london)).about.calendar is None


@pytest.mark.parametrize(("code", "name"), [("XBOM", "NSE_RELIANCE, 60"), ("XNYS", "NYSE_IBM, 60"), ("XHKG", "00700")])
@pytest.mark.parametrize("step", ["15min", "1h"])
def test_an_exchange_is_known_by_candles_in_utc_whose_file_states_no_zone(exchange, code, name, step):
    times, zone = exchange(code, "2024-01-08", "2024-06-28", step)
    utc = times.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    assert with_calendar(with_times(f"{name}.csv", utc)).about.calendar == code


def test_candles_within_the_day_on_weekends_are_of_no_exchange():
    hours = pd.date_range("2024-01-02", periods=300, freq="h")
    for name in ("600519.csv", "7203.csv", "SH#600519.txt"):
        assert with_calendar(with_times(name, hours)).about.calendar is None


def test_what_closes_on_weekends_is_not_round_the_clock_whatever_its_name():
    weekdays = pd.bdate_range("2024-01-02", "2024-03-08")
    assert with_calendar(with_times("BTCUSDT.csv", weekdays)).about.calendar is None
    assert with_calendar(with_times("BTCUSDT.csv", pd.date_range("2024-01-02", periods=60))).about.calendar == "24/7"
    minutes = pd.date_range("2024-01-02 05:00", periods=300, freq="min")
    assert with_calendar(with_times("BTCUSDT.csv", minutes)).about.calendar == "24/7"


def test_hundreds_of_files_are_assigned_in_seconds(days):
    times = days("XSHG", "2023-10-09", "2024-02-29")
    began = time.process_time()
    for number in range(200):
        with_calendar(with_times(f"{number:06}.csv", times))
    assert time.process_time() - began < 5
