"""Judging a model: where it forecasts, and how the scores are put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from engine.config import ModelConfig
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import SHAPE, candles, write
from training.evaluate import Cutoff, cutoffs, evaluate, summarise


@pytest.fixture
def predictor(tokenizer: KronosTokenizer) -> KronosPredictor:
    torch.manual_seed(2)
    model = Kronos.from_config(ModelConfig(n_layers=1, **SHAPE))
    return KronosPredictor(model, tokenizer, "cpu", max_context=64)


def places(data: Path, per_group: int = 100) -> list[Cutoff]:
    return list(cutoffs([*data.glob("*/*.parquet")], "val", lookback=40, horizon=10, per_group=per_group))


def test_futures_follow_their_history_and_never_overlap(data: Path) -> None:
    chosen = places(data)
    assert [cutoff.group for cutoff in chosen] == ["crypto/1h"] * 8 + ["stocks/1h"] * 8
    for cutoff in chosen:
        assert (len(cutoff.history), len(cutoff.future)) == (40, 10)
        assert cutoff.future["timestamp"].iloc[0] - cutoff.history["timestamp"].iloc[-1] == pd.Timedelta("1h")
        assert (cutoff.history["timestamp"] >= "2025-01-01").all()
    futures = pd.concat([cutoff.future for cutoff in chosen if cutoff.group == "stocks/1h"])
    assert futures["timestamp"].is_unique


def test_the_same_cutoffs_are_drawn_again(data: Path) -> None:
    first, again = places(data, 3), places(data, 3)
    assert len(first) == 6
    assert [c.history["timestamp"].iloc[0] for c in first] == [c.history["timestamp"].iloc[0] for c in again]


def test_windows_with_a_split_or_an_unreadable_price_are_left_out(tmp_path: Path) -> None:
    frame = candles("A", 200, seed=1, split="val")
    frame.loc[100:, ["open", "high", "low", "close"]] *= 3
    frame.loc[180, "low"] = np.nan
    write(frame, tmp_path / "data" / "stocks" / "1h.parquet")
    starts = [cutoff.history["timestamp"].iloc[0] for cutoff in places(tmp_path / "data")]
    hours = sorted((start - frame["timestamp"][0]) / pd.Timedelta("1h") for start in starts)
    assert hours == [0, 10, 20, 30, 40, 50, 100, 110, 120, 130]


def test_every_forecaster_is_scored_at_every_cutoff(data: Path, predictor: KronosPredictor) -> None:
    steps = []
    chosen = places(data, 2)
    scores = evaluate(predictor, chosen, samples=8, on_step=lambda *step: steps.append(step))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (scores.groupby("forecaster").size() == 4).all()
    assert scores["coverage_90"].between(0, 1).all()
    pd.testing.assert_frame_equal(scores, evaluate(predictor, chosen, samples=8))  # seeded by the cutoff's number


def test_candles_without_volume_can_be_judged(tmp_path: Path, predictor: KronosPredictor) -> None:
    frame = candles("A", 60, seed=1, split="val").drop(columns=["volume", "amount"])
    write(frame, tmp_path / "data" / "fx" / "1h.parquet")
    assert len(evaluate(predictor, places(tmp_path / "data"), samples=4)) == 2 * 4


def test_markets_weigh_the_same_in_the_summary_however_many_cutoffs_they_have() -> None:
    rows = [("a", "ewma", 2.0), ("a", "ewma", 4.0), ("a", "ewma", 3.0), ("b", "ewma", 1.0)]
    rows += [("a", "model", 1.0), ("a", "model", 1.0), ("a", "model", 1.0), ("b", "model", 2.0)]
    scores = pd.DataFrame(rows, columns=["group", "forecaster", "crps"]).assign(
        coverage_50=0.5, coverage_80=0.8, coverage_90=0.9, impossible=0.0
    )
    table = summarise(scores)
    assert table.loc[("all", "ewma"), "crps"] == 2.0
    assert table.loc[("all", "model"), "crps"] == 1.5
    assert table.loc[("a", "model"), "crps_to_ewma"] == pytest.approx(1 / 3)
    assert table.loc[("all", "model"), "crps_to_ewma"] == 0.75
