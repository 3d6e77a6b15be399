"""Candles that Qlib itself reads, from a small folder in its layout."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.qlib_writer import walk, write
from training.adapters import fingerprint, read_candles
from training.errors import DataError
from training.fit.preparing import prepare
from training.run.config import QlibData, RunConfig

DAYS = pd.bdate_range("2020-01-01", periods=300)
PRICES = ["open", "high", "low", "close"]


MINUTES = pd.date_range("2024-01-02 09:31", periods=240, freq="min")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shares by day, one of them twice in the set and the other suspended for a while."""
    folder = tmp_path_factory.mktemp("qlib") / "cn_data"
    first = walk(DAYS[10:], 1)
    first.iloc[50:53] = np.nan
    spans = ["SZ000001\t2020-01-01\t2020-06-01", "SZ000001\t2020-06-15\t2020-12-01"]
    write(folder, {"SH600000": first, "SZ000001": walk(DAYS, 2)}, DAYS, markets={"csi300": ["SH600000", *spans]})
    return folder


@pytest.mark.usefixtures("qlib")
def test_members_of_a_set_are_read_for_the_days_they_belong_to_it(folder: Path, tmp_path: Path) -> None:
    config = RunConfig.model_validate(
        {
            "data": {"source": "qlib", "folder": str(folder), "market": "csi300"},
            "window": {"lookback": 10, "horizon": 2},
            "split": {"train": [None, "2020-08-31"], "validation": ["2020-09-01", None]},
        }
    )
    steps: list[tuple[int, int]] = []
    corpus = prepare(config, tmp_path / "prepared", lambda *step: steps.append(step))
    assert [(s.symbol, s.split, len(s)) for s in corpus.segments] == [
        ("SH600000", "train", len(pd.bdate_range(DAYS[10], "2020-08-31")) - 3),
        ("SH600000", "validation", len(pd.bdate_range("2020-09-01", DAYS[-1])) - 12),
        ("SZ000001", "train", len(pd.bdate_range("2020-01-01", "2020-06-01"))),
        ("SZ000001", "train", len(pd.bdate_range("2020-06-15", "2020-08-31"))),
        ("SZ000001", "validation", len(pd.bdate_range("2020-09-01", "2020-12-01")) - 12),
    ]
    assert corpus.groups == ["csi300/day"]
    assert steps == [(0, 2), (1, 2)]
    first = corpus.segments[2].start
    written = walk(DAYS, 2).loc["2020-01-01":"2020-12-01"].drop(index=pd.bdate_range("2020-06-02", "2020-06-12"))
    assert pd.to_datetime(corpus.times[first:]).tolist() == written.index.tolist()
    np.testing.assert_allclose(corpus.values[first:, :5], written[[*PRICES, "volume"]], rtol=1e-6)
    np.testing.assert_allclose(corpus.values[first:, 5], written["volume"] * written["vwap"], rtol=1e-6)


@pytest.mark.usefixtures("qlib")
def test_every_day_of_a_range_can_be_asked_for_at_any_frequency(tmp_path: Path) -> None:
    symbols = {"A": walk(MINUTES, 5), "INDEX": walk(MINUTES[7:], 6)[PRICES]}
    write(tmp_path / "data", symbols, MINUTES, frequency="1min")
    span = {"start": datetime(2024, 1, 2, 9, 35), "end": datetime(2024, 1, 2, 10, 0)}
    wanted = QlibData(source="qlib", folder=str(tmp_path / "data"), frequency="1min", members_only=False, **span)
    found = {one.symbol: one for one in read_candles(wanted)}
    assert list(found) == ["A", "INDEX"]
    rows = found["A"].frame
    assert rows["timestamp"].tolist() == pd.date_range(span["start"], span["end"], freq="min").tolist()
    assert rows["piece"].unique().tolist() == [0]
    index = found["INDEX"].frame
    assert index[["volume", "amount"]].isna().all(axis=None)
    assert index[PRICES].notna().all(axis=None)


@pytest.mark.usefixtures("qlib")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"market": "csi500"}, "has no instrument set “csi500”. There are: all, csi300."),
        ({"market": "../calendars/day"}, "has no instrument set “../calendars/day”. There are: all, csi300."),
        ({"frequency": "5min"}, "has no frequency “5min”. There are: day."),
        ({"folder": "absent"}, "absent is not a Qlib folder: it must have the folders calendars, instruments"),
        ({"start": datetime(2030, 1, 1)}, "has no candle of all in this range"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(fields: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(DataError) as error:
        list(read_candles(QlibData(**{"source": "qlib", "folder": str(folder), **fields})))
    assert message in str(error.value)


@pytest.mark.usefixtures("qlib")
def test_a_damaged_folder_is_told_in_words_of_qlib(tmp_path: Path) -> None:
    write(tmp_path / "data", {"SH600000": walk(DAYS, 1)}, DAYS)
    (tmp_path / "data" / "calendars" / "day.txt").write_text("soon\n")
    with pytest.raises(DataError, match=r"Qlib cannot read .*data \(.*soon"):
        list(read_candles(QlibData(source="qlib", folder=str(tmp_path / "data"))))


def test_the_fingerprint_follows_the_folder(folder: Path) -> None:
    wanted = QlibData(source="qlib", folder=str(folder), market="csi300")
    before = fingerprint(wanted)
    assert fingerprint(wanted) == before
    os.utime(folder / "features" / "sz000001" / "close.day.bin", (1, 1))
    assert fingerprint(wanted) != before


def test_without_qlib_the_refusal_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.adapters.qlib_support.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"needs the package pyqlib, which runs on Python 3\.12 or older"):
        list(read_candles(QlibData(source="qlib", folder=str(folder))))
