"""Candles from files: whatever their layout, one symbol at a time; what is wrong is named by file, symbol and row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.conftest import candles, write
from training.adapters import SymbolCandles, fingerprint, read_candles
from training.adapters import files as adapter
from training.errors import DataError
from training.run.config import FileData

PRICES = ["open", "high", "low", "close"]


def read(*paths: Path | str) -> list[SymbolCandles]:
    return list(read_candles(FileData(paths=[str(path) for path in paths])))


def keys(found: list[SymbolCandles]) -> list[tuple[str, str, int]]:
    return [(one.group, one.symbol, len(one.frame)) for one in found]


def test_a_folder_of_markets_is_read_symbol_by_symbol(data: Path) -> None:
    found = read(data)
    assert keys(found) == [
        ("crypto/1h", "A", 900),
        ("crypto/1h", "B", 900),
        ("stocks/1h", "A", 400),
        ("stocks/1h", "B", 400),
    ]
    expected = candles("B", 900, seed=901).drop(columns="symbol")
    pd.testing.assert_frame_equal(found[1].frame, expected, check_column_type=False, check_dtype=False)
    assert [(one.done, one.total) for one in found] == [(0, 2), (0, 2), (1, 2), (1, 2)]


def test_files_of_one_symbol_belong_to_the_group_of_their_folder(tmp_path: Path) -> None:
    for symbol in ("000001", "AAPL"):
        write(candles(symbol, 50, seed=1).drop(columns="symbol"), tmp_path / "daily" / f"{symbol}.csv")
    assert keys(read(tmp_path / "daily")) == [("daily", "000001", 50), ("daily", "AAPL", 50)]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_every_format_reads_the_same(suffix: str, tmp_path: Path) -> None:
    frame = pd.concat([candles("007", 30, seed=1), candles("NA", 30, seed=2)])
    path = tmp_path / "stocks" / f"1h{suffix}"
    path.parent.mkdir()
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    found = read(path)
    assert keys(found) == [("stocks/1h", "007", 30), ("stocks/1h", "NA", 30)]
    np.testing.assert_allclose(found[1].frame["close"], candles("NA", 30, seed=2)["close"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_symbols_that_are_mixed_are_put_in_order(suffix: str, tmp_path: Path) -> None:
    frame = pd.concat([candles(symbol, 40, seed=seed) for seed, symbol in enumerate("ABC")])
    path = write(frame.sort_values(["timestamp", "symbol"]), tmp_path / "stocks" / f"1d.{suffix}")
    found = read(path)
    assert keys(found) == [("stocks/1d", symbol, 40) for symbol in "ABC"]
    for seed, one in enumerate(found):
        np.testing.assert_allclose(one.frame["close"], candles("x", 40, seed=seed)["close"])
        assert one.frame["timestamp"].tolist() == candles("x", 40, seed=seed)["timestamp"].tolist()


def test_a_symbol_that_goes_over_batches_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.concat([candles("A", 70, seed=1), candles("B", 20, seed=2), candles("C", 30, seed=3)])
    path = write(frame, tmp_path / "stocks" / "1d.parquet")
    monkeypatch.setattr("training.adapters.tables.ROWS", 16)
    assert keys(read(path)) == [("stocks/1d", "A", 70), ("stocks/1d", "B", 20), ("stocks/1d", "C", 30)]


def test_columns_are_found_whatever_their_case_and_others_are_left_out(tmp_path: Path) -> None:
    frame = candles("A", 20, seed=1).rename(columns={"timestamp": "Date", "open": "Open", "close": " CLOSE"})
    found = read(write(frame.assign(note="x"), tmp_path / "a.csv"))
    assert list(found[0].frame) == ["timestamp", "open", "high", "low", "close", "volume", "amount"]


def test_times_with_a_zone_keep_the_clock_of_the_exchange(tmp_path: Path) -> None:
    frame = candles("A", 20, seed=1)
    local = frame.assign(timestamp=frame["timestamp"].dt.tz_localize("Asia/Shanghai"))
    for path in (write(local, tmp_path / "a" / "1.parquet"), write(local, tmp_path / "b" / "1.csv")):
        assert read(path)[0].frame["timestamp"].tolist() == frame["timestamp"].tolist()


def test_dates_of_parquet_are_times(tmp_path: Path) -> None:
    frame = candles("A", 20, seed=1, freq="D")
    table = pa.Table.from_pandas(frame.assign(timestamp=frame["timestamp"].dt.date), preserve_index=False)
    pq.write_table(table, tmp_path / "1d.parquet")
    assert read(tmp_path / "1d.parquet")[0].frame["timestamp"].tolist() == frame["timestamp"].tolist()


def test_patterns_and_paths_find_each_file_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "crypto" / ".hidden.csv").write_text("x")
    (data / "crypto" / "notes.txt").write_text("x")
    expected = [data / "crypto" / "1h.parquet", data / "stocks" / "1h.parquet"]
    assert adapter.find_files([f"{data}/*/*.parquet", str(data), str(expected[0])]) == expected
    monkeypatch.chdir(data)
    assert adapter.find_files(["*/1h.parquet", "**/1h.*"]) == [path.relative_to(data) for path in expected]


@pytest.mark.parametrize("path", ["absent", "*.parquet", "empty", "\0"])
def test_what_means_no_file_is_named(path: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as error:
        read(tmp_path / path)
    assert str(tmp_path / path) in str(error.value)


def change(frame: pd.DataFrame, row: int, column: str, value: Any) -> pd.DataFrame:
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: f.drop(columns=["open", "timestamp"]), "1h.csv has no column timestamp, open: candles need"),
        (lambda f: change(f, 5, "timestamp", "soon"), "1h.csv: row 6: “soon” is not a time: write it as 2024-01-31"),
        (lambda f: change(f, 5, "timestamp", None), "1h.csv: row 6: “” is not a time"),
        (lambda f: change(f, 7, "close", "high"), "1h.csv: row 8: close is “high”, which is not a number"),
        (lambda f: change(f, 3, "symbol", None), "1h.csv: row 4 has no symbol"),
        (lambda f: f.iloc[[0, 1, 3, 2]], "1h.csv: row 4 of A (2024-01-01 02:00:00) is before row 3 (2024-01-01 03:00"),
        (lambda f: f.iloc[[0, 1, 1, 2]], "1h.csv: rows 2 and 3 of A have the same time 2024-01-01 01:00:00"),
        (lambda f: change(f, 9, "timestamp", "2024-01-01 09:00+05:00"), "1h.csv: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_file_and_row(damage: Any, message: str, tmp_path: Path) -> None:
    path = write(damage(candles("A", 20, seed=1)), tmp_path / "stocks" / "1h.csv")
    with pytest.raises(DataError) as error:
        read(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_numbers_are_no_times(tmp_path: Path) -> None:
    frame = candles("A", 20, seed=1)
    path = write(frame.assign(timestamp=frame["timestamp"].astype(int)), tmp_path / "1h.parquet")
    with pytest.raises(DataError, match=r"row 1: “1704067200000000.*” is not a time"):
        read(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"no parquet"),
        ("a.csv", b""),
        ("a.csv", b"\xff\xfe\x00\x00"),
        ("a.csv.gz", b"no gzip"),
        ("a.csv", b'timestamp,open,high,low,close\n2024-01-01,1,1,1,"1\n2024-01-02,1,1,1,1\n'),
        ("a.parquet", b""),
    ],
)
def test_a_damaged_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        read(tmp_path / name)


def test_a_damaged_end_of_a_file_is_told(tmp_path: Path) -> None:
    path = write(candles("A", 2000, seed=1), tmp_path / "1h.parquet")
    content = bytearray(path.read_bytes())
    content[200:4000] = os.urandom(3800)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"1h\.parquet cannot be read"):
        read(path)


def test_a_symbol_that_two_files_have_in_one_group_is_refused(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        write(candles("A", 20, seed=1), tmp_path / folder / "stocks" / "1h.parquet")
    with pytest.raises(DataError, match=r"A of stocks/1h is in .*y/stocks/1h\.parquet and in .*x/stocks/1h"):
        read(tmp_path)


def test_a_file_without_rows_has_no_symbols(tmp_path: Path) -> None:
    assert read(write(candles("A", 5, seed=1)[:0], tmp_path / "1h.parquet")) == []


def test_the_fingerprint_follows_the_files(data: Path) -> None:
    wanted = FileData(paths=[str(data)])
    before = fingerprint(wanted)
    assert fingerprint(wanted) == before
    os.utime(data / "stocks" / "1h.parquet", (1, 1))
    assert fingerprint(wanted) != before
