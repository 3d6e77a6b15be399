"""Preparing: candles become a corpus on disk, whole or not at all, and only once."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.candles import time_marks
from tests.training.conftest import candles, write
from training.errors import ConfigError, DataError, RunError
from training.fit import preparing
from training.fit.corpus import Corpus, digest_of
from training.fit.preparing import prepare
from training.run.config import RunConfig


def with_data(config: RunConfig, path: Path, **split: Any) -> RunConfig:
    fields = config.model_dump()
    fields["data"]["paths"] = [str(path)]
    fields["split"] |= split
    return RunConfig.model_validate(fields)


def prepared(config: RunConfig, frame: pd.DataFrame, folder: Path, **split: Any) -> Corpus:
    path = write(frame, folder / "data" / "stocks" / "1h.parquet")
    return prepare(with_data(config, path, **split), folder / "prepared")


def test_a_corpus_holds_every_candle_with_marks_and_times(config: RunConfig, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    corpus = prepare(config, tmp_path / "run" / "prepared", lambda *step: steps.append(step))
    assert corpus.values.shape == (2600, 6)
    assert (corpus.values.dtype, corpus.marks.dtype, corpus.times.dtype) == (np.float32, np.uint8, np.int64)
    frame = candles("B", 900, seed=901)
    np.testing.assert_array_equal(corpus.values[900:1800, 3], frame["close"].to_numpy(np.float32))
    np.testing.assert_array_equal(corpus.marks[900:1800], time_marks(pd.DatetimeIndex(frame["timestamp"])))
    assert pd.Timestamp(int(corpus.times[900])) == frame["timestamp"][0]
    assert corpus.groups == ["crypto/1h", "stocks/1h"]
    assert corpus.digest == digest_of((corpus.values, corpus.marks, corpus.times), corpus.segments)
    assert steps == [(0, 2), (0, 2), (1, 2), (1, 2)]


def test_a_series_is_cut_where_its_price_jumps(config: RunConfig, tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1)
    frame.loc[50:, ["open", "high", "low", "close"]] /= 2.1  # an unadjusted split: a log move of 0.74
    frame.loc[80:, ["open", "high", "low", "close"]] /= 1.9  # a market may halve
    corpus = prepared(config, frame, tmp_path)
    assert [(s.start, s.stop) for s in corpus.of("train").segments] == [(0, 50), (50, 120)]
    assert corpus.jumps == 1


def test_rows_no_model_can_read_are_left_out(config: RunConfig, tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1)
    frame.loc[7, "close"] = 0.0
    frame.loc[9, "open"] = np.inf
    frame.loc[11, "low"] = np.nan
    frame.loc[13, "high"] = -1.0
    corpus = prepared(config, frame, tmp_path)
    assert len(corpus.values) == 196
    assert corpus.left_out == 4
    assert np.isfinite(corpus.values).all()


def test_what_is_missing_is_filled_as_the_tokenizer_expects_it(config: RunConfig, tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1)
    frame.loc[3, "amount"] = np.nan
    frame.loc[5, ["volume", "amount"]] = np.nan
    frame.loc[6, "volume"] = -4.0
    frame.loc[7, "amount"] = np.inf
    mean_price = frame[["open", "high", "low", "close"]].mean(axis=1)
    values = prepared(config, frame, tmp_path).values
    assert values[3, 5] == pytest.approx(frame["volume"][3] * mean_price[3])
    assert values[5, 4:].tolist() == [0, 0]
    assert values[6, 4] == 0
    assert values[7, 5] == pytest.approx(frame["volume"][7] * mean_price[7])
    without = prepared(config, frame.drop(columns=["volume", "amount"]), tmp_path / "other").values
    assert (without[:, 4:] == 0).all()


@pytest.mark.parametrize("change", [{"close": np.nan}, {"low": -1.0}])
def test_candles_without_a_usable_price_are_an_error(
    change: dict[str, float], config: RunConfig, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no candle with prices above zero"):
        prepared(config, candles("A", 40, seed=1).assign(**change), tmp_path)
    assert not (tmp_path / "prepared").exists()


def test_the_split_can_come_with_the_data(config: RunConfig, tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1).assign(split=["train"] * 90 + ["val"] * 110)
    corpus = prepared(config, frame, tmp_path, by="column")
    assert [(s.split, s.start, s.stop) for s in corpus.segments] == [("train", 0, 90), ("validation", 122, 200)]


@pytest.mark.parametrize(
    ("column", "message"),
    [(None, "A of stocks/1h lacks the column split"), ("later", "A: the column split has the value “later”")],
)
def test_a_split_that_the_data_does_not_tell_is_an_error(
    column: str | None, message: str, config: RunConfig, tmp_path: Path
) -> None:
    frame = candles("A", 200, seed=1)
    with pytest.raises(DataError, match=message):
        prepared(config, frame if column is None else frame.assign(split=column), tmp_path, by="column")


def test_an_embargo_shorter_than_a_window_is_refused(config: RunConfig, data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"split\.embargo is 31: it must be at least 32"):
        prepare(with_data(config, data, embargo=31), tmp_path / "prepared")


def test_the_same_settings_find_what_was_prepared(
    config: RunConfig, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(config, tmp_path / "prepared")
    read = preparing.read_candles
    monkeypatch.setattr(preparing, "read_candles", lambda data: pytest.fail("read again"))
    again = prepare(config.model_copy(update={"seed": 7, "name": "other"}), tmp_path / "prepared")
    assert again.digest == first.digest
    monkeypatch.setattr(preparing, "read_candles", read)
    longer = prepare(with_data(config, data, embargo=60), tmp_path / "prepared")
    assert longer.digest != first.digest
    write(candles("A", 500, seed=9), data / "stocks" / "1h.parquet")
    assert len(prepare(with_data(config, data, embargo=60), tmp_path / "prepared").values) == 2300


def test_a_damaged_corpus_is_prepared_again(config: RunConfig, tmp_path: Path) -> None:
    first = prepare(config, tmp_path / "prepared")
    digest = first.digest
    (tmp_path / "prepared" / "times.npy").write_bytes(b"")
    assert prepare(config, tmp_path / "prepared").digest == digest


def test_what_interrupts_the_work_leaves_the_old_corpus_and_no_half_one(
    config: RunConfig, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run" / "prepared"
    first = prepare(config, folder)

    def interrupted(data: Any) -> Any:
        yield next(read(data))
        raise KeyboardInterrupt

    read = preparing.read_candles
    monkeypatch.setattr(preparing, "read_candles", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(with_data(config, data, embargo=60), folder)
    assert preparing.open_corpus(folder).digest == first.digest
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["prepared"]


def test_what_a_killed_process_left_behind_goes(config: RunConfig, tmp_path: Path) -> None:
    left = tmp_path / ".prepared.draft-1"
    left.mkdir()
    (left / "values.npy").write_bytes(b"half")
    prepare(config, tmp_path / "prepared")
    assert not left.exists()


def test_a_kill_at_any_moment_leaves_a_whole_corpus_or_none(config: RunConfig, data: Path, tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from training.fit import preparing
from training.run.config import RunConfig
name, config, folder = sys.argv[1:]
real = getattr(preparing, name)
def kill(*args):
    real(*args) if name == "_replace" else None
    os.kill(os.getpid(), signal.SIGKILL)
setattr(preparing, name, kill)
preparing.prepare(RunConfig.model_validate_json(config), Path(folder))
"""
    for name, there in (("segments_of", False), ("_replace", True)):
        folder = tmp_path / name / "prepared"
        command = [sys.executable, "-c", code, name, config.model_dump_json(), str(folder)]
        assert subprocess.run(command, cwd=Path(__file__).parents[3], check=False).returncode == -9
        assert folder.exists() is there
        assert len(prepare(config, folder).values) == 2600
        assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["prepared"]


def test_a_full_disk_is_told_and_keeps_what_was_there(config: RunConfig, data: Path, tmp_path: Path) -> None:
    first = prepare(config, tmp_path / "prepared")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # Python ignores the signal, so writing fails instead
    try:
        with pytest.raises(RunError, match=r"cannot be written to .* free disk space or choose another folder"):
            prepare(with_data(config, data, embargo=60), tmp_path / "prepared")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert preparing.open_corpus(tmp_path / "prepared").digest == first.digest


def test_a_folder_that_takes_no_file_is_told(config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written to"):
        prepare(config, tmp_path / "file" / "prepared")


def test_memory_does_not_grow_with_the_number_of_symbols(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.adapters.tables.ROWS", 600)
    peaks = []
    for count in (3, 30):
        many = [candles(f"S{number:02}", 600, seed=number) for number in range(count)]
        path = write(pd.concat(many), tmp_path / str(count) / "stocks" / "1h.parquet")
        tracemalloc.start()
        prepare(with_data(config, path), tmp_path / str(count) / "prepared")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]


def test_the_arrays_are_ordinary_numpy_files(config: RunConfig, tmp_path: Path) -> None:
    corpus = prepare(config, tmp_path / "prepared")
    for name in ("values", "marks", "times"):
        np.testing.assert_array_equal(np.load(tmp_path / "prepared" / f"{name}.npy"), getattr(corpus, name))
    header = json.loads((tmp_path / "prepared" / "corpus.json").read_text())
    assert header["rows"] == 2600
