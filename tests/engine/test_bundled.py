"""The model that comes with the project, as a stranger gets it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn

from engine import KronosPredictor, KronosTokenizer
from engine.loading.registry import BUNDLED, REGISTRY


@pytest.fixture(scope="module")
def predictor() -> KronosPredictor:
    return KronosPredictor.from_pretrained()


def test_the_default_model_is_the_bundled_one_with_its_context(predictor: KronosPredictor) -> None:
    assert (predictor.name, predictor.max_context) == ("kronos-nano", 512)
    assert sum(p.numel() for p in predictor.model.parameters()) == REGISTRY["kronos-nano"].parameters


class Published(nn.Module, PyTorchModelHubMixin):
    """A tokenizer with the parameters and the loading of the published package, which knows no shared deviation."""

    def __init__(
        self, d_in: int, d_model: int, n_heads: int, ff_dim: int, n_enc_layers: int, n_dec_layers: int,
        ffn_dropout_p: float, attn_dropout_p: float, resid_dropout_p: float, s1_bits: int, s2_bits: int,
        beta: float, gamma0: float, gamma: float, zeta: float, group_size: int,
    ) -> None:  # fmt: skip
        super().__init__()
        made = KronosTokenizer(
            d_in, d_model, n_heads, ff_dim, n_enc_layers, n_dec_layers, ffn_dropout_p, attn_dropout_p, resid_dropout_p,
            s1_bits, s2_bits, beta, gamma0, gamma, zeta, group_size,
        )  # fmt: skip
        for name, child in made.named_children():
            self.add_module(name, child)


def test_the_published_way_of_loading_passes_over_what_it_does_not_know(predictor: KronosPredictor) -> None:
    assert predictor.tokenizer.config.shared_deviation
    loaded = Published.from_pretrained(BUNDLED / "kronos-nano" / "tokenizer", strict=True)
    ours = predictor.tokenizer.state_dict()
    assert loaded.state_dict().keys() == ours.keys()
    assert all(torch.equal(tensor, ours[name]) for name, tensor in loaded.state_dict().items())


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
