"""Ways to forecast are compared at the same cutoffs with the same seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.paired import columns, differences, score
from benchmarks.shapes import random_walks
from engine.forecast import Forecast
from engine.predictor import KronosPredictor
from training.evaluation.cutoffs import Cutoff, Series


def cutoff(seed: int) -> Cutoff:
    inputs = random_walks(1, 28, 1, seed)
    candles = inputs.frames[0].assign(timestamp=inputs.times[0], amount=np.nan)
    return Cutoff(Series.of(candles, "A", "crypto/5min"), row=20, lookback=20, horizon=8)


def test_every_way_sees_the_same_history_and_seed(predictor: KronosPredictor) -> None:
    seen = []

    def way(at: Cutoff, seed: int) -> Forecast:
        seen.append((seed, at.history["close"].iloc[0]))
        return predictor.forecast(
            columns(at.history), at.history["timestamp"], at.future["timestamp"], samples=4, seed=seed
        )

    data = [cutoff(1), cutoff(2)]
    scores = score({"one": way, "other": way}, data)
    assert seen[0] == seen[1] != seen[2] == seen[3]
    table = differences(scores, "one")
    assert list(table.index) == ["one", "other"]
    assert (table["difference"] == 0).all()
    assert table["coverage_90"].between(0, 1).all()


def test_columns_with_gaps_are_left_out() -> None:
    assert list(columns(cutoff(1).history)) == ["open", "high", "low", "close", "volume"]


def test_differences_are_paired() -> None:
    """Cutoffs are far apart, the ways are not: the standard error is of what differs."""
    scores = pd.DataFrame(
        {
            "cutoff": [0, 0, 1, 1, 2, 2],
            "way": ["exact", "fit"] * 3,
            "crps": [1.0, 1.1, 5.0, 5.2, 9.0, 9.3],
            "coverage_50": 0.5,
            "coverage_80": 0.8,
            "coverage_90": 0.9,
        }
    )
    fit = differences(scores, "exact").loc["fit"]
    assert fit["difference"] == pytest.approx(0.2)
    assert fit["standard_error"] == pytest.approx(0.1 / np.sqrt(3))
    assert fit["relative"] == pytest.approx(0.04)
    assert fit["cutoffs"] == 3
