"""The networks that are timed, with random weights, and random walks to forecast: speed does not ask what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.packed import Precision
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos


@dataclass(frozen=True)
class Shape:
    """Shapes of a predictor and of its tokenizer, and the most candles it sees."""

    model: ModelConfig
    tokenizer: TokenizerConfig
    context: int = 512


_BASE = TokenizerConfig()  # Kronos-Tokenizer-base
_2K = TokenizerConfig(group_size=5)
SHAPES = {
    "nano": Shape(
        ModelConfig(n_layers=4, d_model=192, n_heads=6, ff_dim=512), TokenizerConfig(d_model=128, ff_dim=256)
    ),
    "mini": Shape(ModelConfig(n_layers=4, d_model=256, n_heads=4, ff_dim=512), _2K, context=2048),
    "small": Shape(ModelConfig(), _BASE),
    "base": Shape(ModelConfig(n_layers=12, d_model=832, n_heads=16, ff_dim=2048), _BASE),
}


def build(shape: Shape, weights: Precision = "float32", *, compiled: bool = False, seed: int = 0) -> KronosPredictor:
    """Return a predictor of this shape on the CPU with fresh weights; its settings are those of `KronosPredictor`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, tokenizer = Kronos.from_config(shape.model), KronosTokenizer.from_config(shape.tokenizer)
    return KronosPredictor(model, tokenizer, "cpu", shape.context, name="random", weights=weights, compiled=compiled)


@dataclass(frozen=True)
class Inputs:
    """What `forecast_batch` takes: candles, their times and the times to forecast, a list entry a series."""

    frames: list[pd.DataFrame]
    times: list[pd.Series[pd.Timestamp]]
    future: list[pd.Series[pd.Timestamp]]

    def parts(self) -> tuple[list[pd.DataFrame], list[pd.Series[pd.Timestamp]], list[pd.Series[pd.Timestamp]]]:
        """Return the three lists in the order that predictors take them."""
        return self.frames, self.times, self.future


def random_walks(series: int, history: int, horizon: int, seed: int = 0) -> Inputs:
    """Return five-minute candles of `series` random walks."""
    rng = np.random.default_rng(seed)
    times = pd.Series(pd.date_range("2024-01-02", periods=history + horizon, freq="5min"))
    frames = [_walk(rng, history) for _ in range(series)]
    return Inputs(frames, [times[:history]] * series, [times[history:]] * series)


def _walk(rng: np.random.Generator, length: int) -> pd.DataFrame:
    close = 100 * np.exp(rng.normal(0, 2e-3, length).cumsum())
    start = np.r_[100.0, close[:-1]]
    up, down = 1 + rng.exponential(1e-3, (2, length))
    high, low = np.maximum(start, close) * up, np.minimum(start, close) / down
    return pd.DataFrame(
        {"open": start, "high": high, "low": low, "close": close, "volume": rng.lognormal(8, 1, length)}
    )
