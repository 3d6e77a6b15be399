from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.data.qlib.export import qlib_name, write_folder
from kronos_app.data.qlib.source import QlibFolder
from kronos_app.data.source import FetchRequest
from kronos_app.errors import Conflict, InvalidInput, Unavailable
from tests.kronos_app.data.qlib.test_source import READ
from tests.qlib_writer import walk

DAYS = pd.bdate_range("2020-01-01", periods=120)
PRICES = ["open", "high", "low", "close"]


def candles(days=DAYS, seed=0, *, columns=(*PRICES, "volume", "amount")):
    frame = walk(days, seed)
    frame["amount"] = frame["volume"] * frame["vwap"]
    frame = frame[list(columns)].rename_axis("timestamp").reset_index()
    return CandleFrame(frame, "x", "test", "UTC")


def read(folder, symbol, interval="1d"):
    return QlibFolder("x", folder).fetch(FetchRequest(symbol, interval)).frame.reset_index(drop=True)


@pytest.fixture
def series():
    """Three instruments: one is suspended for a while, one begins late and ends early."""
    suspended = candles(DAYS.delete(slice(40, 45)), 1)
    return {"AAA": candles(), "BTC/USDT": suspended, "SH600000": candles(DAYS[20:90], 2)}


def test_what_is_written_is_read_back(tmp_path, series):
    names = write_folder(tmp_path / "us_data", series, markets={"csi300": ["AAA", "SH600000"]})
    assert names == {"AAA": "AAA", "BTC/USDT": "BTC-USDT", "SH600000": "SH600000"}
    for symbol, one in series.items():
        found = read(tmp_path / "us_data", names[symbol])
        assert list(found["timestamp"]) == list(one.frame["timestamp"])
        np.testing.assert_allclose(found[one.features], one.frame[one.features], rtol=3e-7)
    source = QlibFolder("x", tmp_path / "us_data")
    assert source.markets() == ["all", "csi300"]
    assert [one.symbol for one in source.instruments("csi300")] == ["AAA", "SH600000"]
    plain = source.fetch(FetchRequest("AAA", "1d", options={"adjustment": "none"})).frame
    np.testing.assert_allclose(plain["close"], series["AAA"].frame["close"], rtol=1e-7)


@pytest.mark.usefixtures("qlib")
@pytest.mark.parametrize("frequency", ["day", "5min"])
def test_pyqlib_reads_what_is_written(tmp_path, frequency):
    days = DAYS if frequency == "day" else pd.date_range("2024-01-02 09:35", periods=60, freq="5min")
    other = candles(days, 3)
    one = candles(days.delete(slice(20, 22)), 4)
    write_folder(tmp_path / "q", {"SH600000": one, "B": other}, frequency=frequency, markets={"csi300": ["B"]})
    out = tmp_path / "read.pkl"
    command = [sys.executable, "-W", "ignore", "-c", READ, str(tmp_path / "q"), "SH600000", frequency, str(out)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert told.stdout.split() == ["B"]
    found = pd.read_pickle(out)
    assert len(found) == len(days)
    traded = found.dropna()
    assert list(traded.index) == list(one.frame["timestamp"])
    np.testing.assert_allclose(traded.iloc[:, :6], one.frame[[*PRICES, "volume", "amount"]], rtol=3e-7)


def test_fields_that_are_not_there_stay_absent_and_days_without_volume_have_no_amount(tmp_path):
    quiet = candles()
    quiet.frame.loc[3, ["volume", "amount"]] = 0.0
    write_folder(tmp_path / "q", {"A": candles(columns=PRICES), "B": quiet})
    assert list(read(tmp_path / "q", "A")) == ["timestamp", *PRICES]
    assert read(tmp_path / "q", "B")["amount"][3] == 0


def test_the_move_of_a_day_is_that_since_the_candle_before(tmp_path, series):
    write_folder(tmp_path / "q", series)
    moved = np.fromfile(tmp_path / "q" / "features" / "btc-usdt" / "change.day.bin", dtype="<f4")[1:]
    close = series["BTC/USDT"].frame["close"].to_numpy()
    np.testing.assert_allclose(moved[45], close[40] / close[39] - 1, rtol=1e-5)


def test_a_name_that_windows_cannot_have_is_written_as_qlib_writes_it(tmp_path):
    write_folder(tmp_path / "q", {"CON": candles()})
    assert [path.name for path in (tmp_path / "q" / "features").iterdir()] == ["_qlib_con"]
    assert len(read(tmp_path / "q", "CON")) == len(DAYS)


@pytest.mark.parametrize(
    ("symbol", "name"), [("BTC/USDT", "BTC-USDT"), ("../../etc", "-..-etc"), (" 600000.SH ", "600000.SH")]
)
def test_a_symbol_becomes_one_that_is_no_path(symbol, name):
    assert qlib_name(symbol) == name


@pytest.mark.parametrize(
    ("wrong", "how", "code"),
    [
        ({}, {}, "no_candles"),
        ({"A": candles(DAYS[:0])}, {}, "no_candles"),
        ({"..": candles()}, {}, "bad_symbol"),
        ({"茅台": candles()}, {}, "bad_symbol"),
        ({"btc": candles(), "BTC": candles()}, {}, "same_name"),
        ({"A": candles(pd.date_range("2024-01-02 09:35", periods=9, freq="h"))}, {}, "not_daily"),
        ({"A": candles()}, {"frequency": "../day"}, "unknown_interval"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, wrong, how, code):
    with pytest.raises(InvalidInput) as caught:
        write_folder(tmp_path / "q", wrong, **how)
    assert caught.value.code == code
    assert caught.value.hint.render()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path, series):
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "mine.txt").write_text("x")
    with pytest.raises(Conflict, match="folder q exists already"):
        write_folder(tmp_path / "q", series)
    assert [path.name for path in tmp_path.rglob("*")] == ["q", "mine.txt"]


def test_a_place_that_takes_no_folder_is_said_to_be_one(tmp_path, series):
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="cannot be written"):
        write_folder(tmp_path / "file" / "q", series)
