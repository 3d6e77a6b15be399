from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kronos_app.data.checks import quality
from kronos_app.data.qlib.files import find_folders
from kronos_app.data.qlib.source import QlibFolder
from kronos_app.data.source import FetchRequest
from kronos_app.data.sources import FAMILIES
from kronos_app.errors import AppError, InvalidInput, NotFound, Unavailable
from kronos_app.settings import Settings
from tests.qlib_writer import walk, write

DAYS = pd.bdate_range("2020-01-01", periods=300)
PRICES = ["open", "high", "low", "close"]

# What pyqlib itself reads. Its tracker of experiments, which no data passes through, does not go with newer protobufs.
READ = """
import sys
from unittest.mock import MagicMock
parts = ("", ".tracking", ".tracking.client", ".exceptions", ".entities", ".store", ".store.artifact",
         ".store.artifact.artifact_repository_registry", ".store.artifact.azure_blob_artifact_repo")
sys.modules.update({"mlflow" + part: MagicMock() for part in parts})
import qlib
from qlib.data import D
folder, symbol, frequency, out = sys.argv[1:5]
qlib.init(provider_uri=folder, region="cn", logging_level=50, kernels=1)
fields = ["$open", "$high", "$low", "$close", "$volume", "$volume*$vwap",
          "$open/$factor", "$high/$factor", "$low/$factor", "$close/$factor", "$volume*$factor"]
D.features([symbol], fields, freq=frequency).reset_index(level=0, drop=True).to_pickle(out)
print(",".join(sorted(D.list_instruments(D.instruments("csi300"), freq=frequency, as_list=True))))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a folder with daily candles of four instruments, one of them suspended for a while."""
    folder = tmp_path_factory.mktemp("qlib") / "cn_data"
    suspended = walk(DAYS[10:], 1)
    suspended.iloc[50:53] = np.nan
    symbols = {"SH600000": suspended, "SZ000001": walk(DAYS[:200], 2), "BJ430047": walk(DAYS, 3, factor=False)}
    symbols["CON"] = walk(DAYS, 4)[[*PRICES, "volume"]]
    lists = {"csi300": ["SH600000", "SZ000001\t2020-01-01\t2020-03-01", "SZ000001\t2020-06-01\t2020-08-01"]}
    write(folder, symbols, DAYS, markets=lists)
    (folder / "features" / "con").rename(folder / "features" / "_qlib_con")
    return folder


@pytest.fixture
def source(folder):
    return QlibFolder("cn_data", folder)


def fetch(source, symbol="SH600000", interval="1d", start=None, end=None, **options):
    return source.fetch(FetchRequest(symbol, interval, start, end, options))


def day(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.usefixtures("qlib")
@pytest.mark.parametrize(("frequency", "interval"), [("day", "1d"), ("1min", "1m")])
def test_candles_are_those_that_pyqlib_reads(tmp_path, frequency, interval):
    times = DAYS if frequency == "day" else pd.date_range("2024-01-02 09:31", periods=240, freq="min")
    frame = walk(times[7:], 5)
    frame.iloc[20:22] = np.nan
    write(tmp_path / "cn_data", {"SH600000": frame}, times, frequency=frequency, markets={"csi300": ["SH600000"]})
    out = tmp_path / "read.pkl"
    command = [sys.executable, "-W", "ignore", "-c", READ, str(tmp_path / "cn_data"), "SH600000", frequency, str(out)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    expected = pd.read_pickle(out).dropna()
    source = QlibFolder("cn_data", tmp_path / "cn_data")
    adjusted, plain = (fetch(source, interval=interval, adjustment=how) for how in ("adjusted", "none"))
    assert list(adjusted.frame["timestamp"]) == list(plain.frame["timestamp"]) == list(expected.index)
    wanted = adjusted.frame[[*PRICES, "volume", "amount"]]
    np.testing.assert_allclose(wanted, expected.iloc[:, :6], rtol=2e-7)
    np.testing.assert_allclose(plain.frame[[*PRICES, "volume"]], expected.iloc[:, 6:], rtol=2e-7)
    np.testing.assert_allclose(plain.frame["amount"], expected.iloc[:, 5], rtol=2e-7)
    assert told.stdout.split() == [",".join(one.symbol for one in source.instruments("csi300"))]


def test_a_draft_says_what_it_is_of(source):
    draft = fetch(source)
    assert (draft.name, draft.source, draft.timezone) == ("SH600000", "qlib:cn_data", "Asia/Shanghai")
    assert draft.about.to_dict() == {
        "symbol": "SH600000", "interval": "1d", "adjustment": "adjusted", "currency": "CNY", "calendar": "XSHG",
        "origin": "Qlib folder cn_data",
    }  # fmt: skip
    assert {finding.code for finding in draft.findings} == {"adjustment", "amount", "empty_rows"}
    assert len(draft) == 287
    assert quality.inspect(draft).clean


def test_fields_that_are_not_there_stay_absent(source):
    draft = fetch(source, "CON")
    assert list(draft.frame) == ["timestamp", *PRICES, "volume"]
    assert {finding.code for finding in draft.findings} == {"adjustment"}


def test_an_amount_of_its_own_serves_where_there_is_no_vwap(tmp_path):
    write(tmp_path, {"AAPL": walk(DAYS).drop(columns="vwap").assign(amount=5.0)}, DAYS)
    draft = fetch(QlibFolder("us_data", tmp_path), "aapl")
    assert (draft.frame["amount"] == 5).all()
    assert (draft.timezone, draft.about.currency, draft.about.calendar) == ("America/New_York", "USD", "XNYS")


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2020-02-03", "2020-02-08", "2020-02-03", "2020-02-07"),
        ("2020-02-02T16:00", "2020-02-06T16:00", "2020-02-03", "2020-02-06"),  # midnights in Shanghai
        ("2020-02-01", None, "2020-02-03", "2021-02-23"),
        (None, "2020-02-01", "2020-01-15", "2020-01-31"),
    ],
)
def test_a_range_has_its_first_day_and_not_its_end(source, start, end, first, last):
    times = fetch(source, start=start and day(start), end=end and day(end)).frame["timestamp"]
    assert (times.iloc[0], times.iloc[-1]) == (pd.Timestamp(first), pd.Timestamp(last))


def test_a_day_that_is_not_over_is_left_out(tmp_path):
    days = pd.date_range(end=pd.Timestamp.now("Asia/Shanghai").tz_localize(None).normalize(), periods=5)
    write(tmp_path, {"SH600000": walk(days)}, days)
    assert list(fetch(QlibFolder("x", tmp_path)).frame["timestamp"]) == list(days[:-1])


def test_markets_and_their_instruments_are_listed(source):
    assert source.markets() == ["all", "csi300"]
    assert [one.symbol for one in source.instruments()] == ["BJ430047", "CON", "SH600000", "SZ000001"]
    assert [(one.symbol, one.name) for one in source.instruments("csi300")] == [
        ("SH600000", "2020-01-15 – 2021-02-23"),
        ("SZ000001", "2020-01-01 – 2020-08-01"),
    ]
    with pytest.raises(NotFound, match=r"no market “\.\./x”"):
        source.instruments("../x")


def test_the_search_finds_parts_of_symbols_those_at_the_beginning_first(source):
    assert [one.symbol for one in source.search("000")] == ["SH600000", "SZ000001"]
    assert [one.symbol for one in source.search("sz")] == ["SZ000001"]
    assert [one.symbol for one in source.search("0", limit=1)] == ["BJ430047"]
    assert source.search(" ") == []


def test_without_a_list_of_all_the_others_together_are_all(tmp_path):
    write(tmp_path, {name: walk(DAYS) for name in ("A", "B")}, DAYS, markets={"one": ["A"], "two": ["B"]})
    (tmp_path / "instruments" / "all.txt").unlink()
    source = QlibFolder("x", tmp_path)
    assert source.markets() == ["all", "one", "two"]
    assert [one.symbol for one in source.instruments()] == ["A", "B"]


@pytest.mark.parametrize("interval", ["1d", "day"])
def test_an_interval_goes_by_either_name(source, interval):
    assert [one.key for one in source.intervals()] == ["1d"]
    assert fetch(source, interval=interval).about.interval == "1d"


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"symbol": "SH60000"}, "unknown_symbol", "SH600000"),
        ({"symbol": "../../etc/passwd"}, "unknown_symbol", "does not know “../../etc/passwd”"),
        ({"interval": "5m"}, "unknown_interval", "Its intervals: 1d."),
        ({"adjustment": "half"}, "unknown_option", "adjusted, none"),
        ({"market": "csi300"}, "unknown_option", "market"),
        ({"symbol": "BJ430047", "adjustment": "none"}, "no_factor", "Use adjusted prices."),
        ({"start": day("2030-01-01")}, "no_candles", "longer range"),
    ],
)
def test_what_the_folder_does_not_have_is_refused_with_what_it_has(source, asked, code, said):
    with pytest.raises((InvalidInput, NotFound)) as caught:
        fetch(source, **asked)
    assert caught.value.code == code
    assert said in f"{caught.value.message.render()} {caught.value.hint.render()}"


def damage(folder, how):
    close = folder / "features" / "sh600000" / "close.day.bin"
    calendar = folder / "calendars" / "day.txt"
    {
        "cut": lambda: close.write_bytes(close.read_bytes()[:-3]),
        "empty": lambda: close.write_bytes(b""),
        "nan": lambda: np.full(5, np.nan, "<f4").tofile(close),
        "beyond": lambda: np.arange(290.0, 690.0).astype("<f4").tofile(close),
        "unsorted": lambda: calendar.write_text("2020-01-02\n2020-01-01\n"),
        "words": lambda: calendar.write_text("soon\n"),
        "binary": lambda: calendar.write_bytes(b"\xff\xfe\xfd"),
        "no calendar": calendar.unlink,
        "no field": close.unlink,
        "no list": (folder / "instruments" / "all.txt").unlink,
    }[how]()


@pytest.mark.parametrize(
    ("how", "code"),
    [
        *((how, "damaged_folder") for how in ("cut", "empty", "nan", "beyond")),
        *((how, "no_folder") for how in ("unsorted", "words", "binary", "no calendar", "no list")),
        ("no field", "no_prices"),
    ],
)
def test_a_damaged_folder_is_said_to_be_one(tmp_path, how, code):
    write(tmp_path, {"SH600000": walk(DAYS)}, DAYS)
    damage(tmp_path, how)
    with pytest.raises(AppError) as caught:
        fetch(QlibFolder("x", tmp_path))
    assert caught.value.code == code
    assert str(tmp_path) not in str(caught.value)
    assert caught.value.hint.render()


def test_a_folder_that_was_brought_up_to_date_is_read_anew(tmp_path):
    write(tmp_path, {"SH600000": walk(DAYS[:100])}, DAYS[:100])
    source = QlibFolder("x", tmp_path)
    assert len(fetch(source)) == 100
    write(tmp_path, {"SH600000": walk(DAYS)}, DAYS)
    assert len(fetch(source)) == 300


def test_folders_are_those_that_are_named_or_those_that_qlib_downloads_to(tmp_path):
    usual = tmp_path / ".qlib" / "qlib_data"
    for name in ("us_data", "cn_data"):
        (usual / name / "calendars").mkdir(parents=True)
    (usual / "downloads").mkdir()
    assert find_folders({}, tmp_path) == {name: usual / name for name in ("cn_data", "us_data")}
    assert find_folders({"mine": Path("~/x")}, tmp_path) == {"mine": Path.home() / "x"}
    assert find_folders({}, tmp_path / "nobody") == {}


def test_the_registry_has_a_source_for_each_folder(folder):
    family = next(family for family in FAMILIES if family.key == "qlib")
    settings = Settings(qlib_folders={"cn_data": folder, "gone": folder / "gone"})
    assert family.names(settings) == ["qlib:cn_data", "qlib:gone"]
    assert len(fetch(family.make(settings, "qlib:cn_data"))) == 287
    with pytest.raises(Unavailable, match="“gone” does not exist"):
        family.make(settings, "qlib:gone").intervals()
