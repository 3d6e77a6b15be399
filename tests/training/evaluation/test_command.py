"""Judging a model on a folder of candles: what is read, where it forecasts, what is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.predictor import KronosPredictor
from tests.training.conftest import candles, write
from tests.training.evaluation.conftest import tiny_model
from training.evaluation.baselines import QUICK
from training.evaluation.command import cutoffs, describe, evaluate, read_series, summarise, warnings_of, write_scores
from training.evaluation.cutoffs import Cutoff
from training.evaluation.kronos import KronosForecaster


@pytest.fixture
def predictor() -> KronosPredictor:
    return tiny_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two markets, each with rows of two splits."""
    for market in ("crypto", "stocks"):
        parts = [
            candles("A", 200, seed=1).assign(split="train"),
            candles("A", 120, seed=2, start="2025-01-01").assign(split="val"),
            candles("B", 120, seed=3, start="2025-01-01").assign(split="val"),
        ]
        write(pd.concat(parts), tmp_path / "data" / market / "1h.parquet")
    return tmp_path / "data"


def places(folder: Path, per_group: int = 100) -> list[Cutoff]:
    return cutoffs(folder.glob("*/*.parquet"), "val", lookback=40, horizon=10, per_group=per_group)


def test_futures_follow_their_history_and_never_overlap(folder: Path) -> None:
    chosen = places(folder)
    assert {(c.group, c.symbol) for c in chosen} == {(g, s) for g in ("crypto/1h", "stocks/1h") for s in "AB"}
    assert len(chosen) == 2 * 2 * 8
    for cutoff in chosen:
        times = pd.DatetimeIndex(cutoff.series.times[cutoff.row - 40 : cutoff.row + 10].view("M8[ns]"))
        assert (len(cutoff.past.last(40)), len(cutoff.actual)) == (40, 10)
        assert (np.diff(times) == pd.Timedelta("1h")).all()
        assert times[0] >= pd.Timestamp("2025-01-01")
    of_b = [c for c in chosen if (c.group, c.symbol) == ("stocks/1h", "B")]
    futures = pd.concat([c.series.frame(c.row, c.row + 10) for c in of_b])
    assert futures["timestamp"].is_unique


def test_the_same_cutoffs_are_drawn_again(folder: Path) -> None:
    first, again = places(folder, 3), places(folder, 3)
    assert len(first) == 6
    assert [(c.symbol, c.time) for c in first] == [(c.symbol, c.time) for c in again]


def test_no_cutoff_reaches_over_a_split_or_an_unreadable_price(tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1)
    frame.loc[100:, ["open", "high", "low", "close"]] *= 3
    frame.loc[180, "low"] = np.nan
    path = write(frame, tmp_path / "stocks" / "1h.parquet")
    one, other = read_series([path])
    assert (len(one), len(other)) == (100, 99)
    assert pd.Timestamp(other.times[0]) == frame["timestamp"][100]
    assert pd.Timestamp(180 * 3600 * 10**9 + one.times[0]) not in pd.DatetimeIndex(other.times.view("M8[ns]"))


def test_candles_without_volume_can_be_judged(tmp_path: Path, predictor: KronosPredictor) -> None:
    write(candles("A", 60, seed=1).drop(columns=["volume", "amount"]), tmp_path / "data" / "fx" / "1h.parquet")
    found = cutoffs(tmp_path.glob("data/*/*.parquet"), None, lookback=40, horizon=10, per_group=9)
    report = evaluate(KronosForecaster("custom", predictor, 4), found, tmp_path / "kept", baselines=QUICK)
    assert len(report.table) == len(found) * 4 == 2 * 4


def test_the_model_stands_beside_the_baselines(folder: Path, predictor: KronosPredictor, tmp_path: Path) -> None:
    chosen = places(folder, 6)
    report = evaluate(KronosForecaster("custom", predictor, 8), chosen, tmp_path / "kept", baselines=QUICK)
    table = summarise(report)
    assert set(table.index) == {"custom", "last_close", "drift", "ewma"}
    assert table.loc[report.best_baseline, "ratio"] == 1.0
    assert table["crps"].is_monotonic_increasing
    assert table["coverage_90"].between(0, 1).all()
    told = describe(report, chosen)
    assert told.startswith(str(report.verdicts["custom"]))
    assert "crypto/1h" in told
    write_scores(report, tmp_path / "scores.csv")
    kept = pd.read_csv(tmp_path / "scores.csv", parse_dates=["time"])
    assert len(kept) == len(chosen) * 4
    assert set(kept["time"]) == {pd.Timestamp(c.time) for c in chosen}


def test_models_of_the_registry_are_warned_of_what_they_learned_from(folder: Path) -> None:
    crypto = {
        split: cutoffs(folder.glob("crypto/*.parquet"), split, lookback=40, horizon=10, per_group=4)
        for split in ("train", "val")
    }
    assert warnings_of(["kronos-nano", "mine"], crypto["val"]) == []  # of 2025; and nobody knows
    told = [str(one) for one in warnings_of(["kronos-nano", "mine"], crypto["train"])]
    assert [one.partition(":")[0] for one in told] == ["All 4 cutoffs are within the training period of kronos-nano"]
