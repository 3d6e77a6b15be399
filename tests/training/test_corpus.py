"""Candles from files, cut where a series is not continuous."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.training.conftest import candles, write
from training.corpus import Segment, load_corpus


def test_groups_are_named_by_folder_and_file(data: Path) -> None:
    corpus = load_corpus(data.glob("*/*.parquet"), "train")
    assert corpus.groups == ["crypto/1h", "stocks/1h"]
    assert corpus.segments == (
        Segment("crypto/1h", "A", 0, 900),
        Segment("crypto/1h", "B", 900, 1800),
        Segment("stocks/1h", "A", 1800, 1900),
        Segment("stocks/1h", "B", 1900, 2000),
    )
    assert corpus.values.shape == (2000, 6)
    assert corpus.values.dtype == np.float32
    assert corpus.marks[:26, 1].tolist() == [*range(24), 0, 1]


def test_only_the_rows_of_the_split_are_read(data: Path) -> None:
    assert [s.stop - s.start for s in load_corpus(data.glob("*/*.parquet"), "val").segments] == [120, 120]


def test_a_series_is_cut_where_its_price_jumps(tmp_path: Path) -> None:
    frame = candles("A", 60, seed=1)
    frame.loc[40:, ["open", "high", "low", "close"]] /= 2.1  # an unadjusted split: a log move of 0.74
    corpus = load_corpus([write(frame, tmp_path / "stocks" / "1d.parquet")])
    assert [(s.start, s.stop) for s in corpus.segments] == [(0, 40), (40, 60)]
    frame.loc[40:, ["open", "high", "low", "close"]] *= 2.1 / 1.9  # a market may halve
    corpus = load_corpus([write(frame, tmp_path / "stocks" / "1d.parquet")])
    assert len(corpus.segments) == 1


def test_what_is_missing_is_filled_as_the_tokenizer_expects_it(tmp_path: Path) -> None:
    frame = candles("A", 40, seed=1)
    frame.loc[3, "amount"] = np.nan
    frame.loc[5, ["volume", "amount"]] = np.nan
    values = load_corpus([write(frame, tmp_path / "a" / "1h.parquet")]).values
    mean_price = frame[["open", "high", "low", "close"]].mean(axis=1)
    assert values[3, 5] == pytest.approx(frame["volume"][3] * mean_price[3])
    assert values[5, 4:].tolist() == [0, 0]
    without = load_corpus([write(frame.drop(columns=["volume", "amount"]), tmp_path / "b" / "1h.parquet")]).values
    assert (without[:, 4:] == 0).all()


def test_rows_no_model_can_read_are_left_out(tmp_path: Path) -> None:
    frame = candles("A", 40, seed=1)
    frame.loc[7, "close"] = 0.0
    frame.loc[9, "open"] = np.inf
    corpus = load_corpus([write(frame, tmp_path / "a" / "1h.parquet")])
    assert len(corpus.values) == 38
    assert np.isfinite(corpus.values).all()


@pytest.mark.parametrize("change", [{"split": "test"}, {"close": np.nan}, {"low": -1.0}])
def test_a_corpus_with_nothing_to_learn_from_is_an_error(change: dict[str, object], tmp_path: Path) -> None:
    path = write(candles("A", 40, seed=1).assign(**change), tmp_path / "a" / "1h.parquet")
    with pytest.raises(ValueError, match="No candles of split 'train' in the files given"):
        load_corpus([path], "train")


def test_no_files_are_an_error() -> None:
    with pytest.raises(ValueError, match="No candles in the files given"):
        load_corpus([])


def test_a_broken_file_beside_a_good_one_does_not_shift_its_rows(tmp_path: Path) -> None:
    bad = write(candles("X", 10, seed=1).assign(close=np.nan), tmp_path / "a" / "1h.parquet")
    good = write(candles("A", 40, seed=2), tmp_path / "b" / "1h.parquet")
    corpus = load_corpus([bad, good])
    assert corpus.segments == (Segment("b/1h", "A", 0, 40),)
    np.testing.assert_allclose(corpus.values[:, 3], pd.read_parquet(good)["close"], rtol=1e-6)
