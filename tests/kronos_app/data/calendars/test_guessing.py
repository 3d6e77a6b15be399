from __future__ import annotations

import pandas as pd
import pytest

from kronos_app.data.about import About
from kronos_app.data.calendars import CALENDARS, guess, with_calendar
from kronos_app.data.calendars.guessing import SUFFIXES, ZONES
from kronos_app.data.draft import Draft
from kronos_app.errors import InvalidInput


def draft(name, *, source="upload", timezone=None, **about):
    return Draft(pd.DataFrame(), name, source, timezone, about=About(**about))


@pytest.mark.parametrize(
    ("symbol", "timezone", "expected"),
    [
        ("AAPL", "America/New_York", "XNYS"),
        ("^GSPC", "America/New_York", "XNYS"),
        ("^HSI", "Asia/Hong_Kong", "XHKG"),
        ("600519.SS", "Asia/Shanghai", "XSHG"),
        ("000001.SZ", "Asia/Shanghai", "XSHE"),
        ("0700.HK", "Asia/Hong_Kong", "XHKG"),
        ("VOD.L", "Europe/London", "XLON"),
        ("7203.T", "Asia/Tokyo", "XTKS"),
        ("BRK-B", "America/New_York", "XNYS"),
        ("EURUSD=X", "Europe/London", "24/5"),
        ("ES=F", "America/New_York", "CMES"),
        ("BTC-USD", "UTC", "24/7"),
        ("AAPL", None, None),
        ("WHAT.EVER", "America/New_York", None),
    ],
)
def test_yahoo_says_by_suffix_and_zone_where_a_symbol_is_traded(symbol, timezone, expected):
    assert guess("yahoo", symbol, timezone) == expected


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
        ("000660", "Asia/Seoul", None),
        ("AAPL", None, None),
        ("prices", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_elsewhere_only_what_is_plain_is_guessed(symbol, timezone, expected):
    assert guess("upload", symbol, timezone) == expected


def test_every_guess_is_a_calendar_there_is():
    assert {*SUFFIXES.values(), *ZONES.values()} <= set(CALENDARS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("600519.SS.csv", "XSHG"), ("BTCUSDT_1h.csv.gz", "24/7"), ("EURUSD 5min.parquet", "24/5"), ("my data.csv", None)],
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
