"""The model that comes with the project, as a stranger gets it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from engine import KronosPredictor
from engine.registry import BUNDLED, REGISTRY


@pytest.fixture(scope="module")
def predictor() -> KronosPredictor:
    return KronosPredictor.from_pretrained()


def test_the_default_model_is_the_bundled_one_with_its_context(predictor: KronosPredictor) -> None:
    assert (predictor.name, predictor.max_context) == ("kronos-nano", 512)
    assert sum(p.numel() for p in predictor.model.parameters()) == REGISTRY["kronos-nano"].parameters


def test_it_ships_in_at_most_eight_megabytes() -> None:
    folder = BUNDLED / "kronos-nano"
    shipped = [path for part in ("model", "tokenizer") for path in (folder / part).iterdir()]
    assert sum(path.stat().st_size for path in shipped) <= 8_000_000


def test_it_was_trained_its_bands_widen_with_the_horizon_around_the_last_close(predictor: KronosPredictor) -> None:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(rng.normal(0, 0.01, 200).cumsum())
    spread = np.abs(rng.normal(0, 0.004, 200))
    start = np.r_[100, close[:-1]]
    df = pd.DataFrame(
        {
            "open": start,
            "high": np.maximum(start, close) * (1 + spread),
            "low": np.minimum(start, close) * (1 - spread),
            "close": close,
        }
    )
    times = pd.date_range("2024-01-01", periods=216, freq="D")
    forecast = predictor.forecast(df, times[:200], times[200:], samples=64, seed=0)
    bands = forecast.quantiles([0.05, 0.95])
    width = (bands[0.95]["close"] - bands[0.05]["close"]) / close[-1]
    assert 0.01 < width.iloc[0] < 0.15, "a day of 1 % volatility"
    assert width.iloc[-4:].mean() > 1.5 * width.iloc[:4].mean()
    assert abs(forecast.median()["close"].iloc[0] / close[-1] - 1) < 0.02
    assert forecast.repairs < 0.02 * 64 * 16


def test_its_card_has_the_table_that_these_weights_were_judged_with(predictor: KronosPredictor) -> None:
    folder = BUNDLED / "kronos-nano"
    judged = json.loads((folder / "judgement.json").read_text(encoding="utf-8"))
    assert judged["depends_on"]["forecasters"]["kronos-nano"].split("/")[0] == predictor.digest
    assert (folder / "judgement.md").read_text(encoding="utf-8") in (folder / "README.md").read_text(encoding="utf-8")


def test_its_factors_were_learned_on_what_the_judge_calls_new_assets() -> None:
    factors = REGISTRY["kronos-nano"].recalibration
    assert "crypto/1h" in factors
    assert all(0.5 < factor.scale < 2 for factor in factors.values())
