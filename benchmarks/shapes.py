"""The networks to time, with random weights, and random walks to forecast: speed does not depend on the values."""

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
    """Shapes of a predictor and its tokenizer, and the maximum number of candles that it sees."""

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


def build_predictor(shape: Shape, weights: Precision = "float32") -> KronosPredictor:
    """Return a predictor of this shape on the CPU with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, tokenizer = Kronos.from_config(shape.model), KronosTokenizer.from_config(shape.tokenizer)
    return KronosPredictor(model, tokenizer, "cpu", shape.context, name="random", weights=weights)


@dataclass(frozen=True)
class Inputs:
    """The lists that `forecast_batch` takes: candles, their times and the times to forecast."""

    frames: list[pd.DataFrame]
    times: list[pd.Series[pd.Timestamp]]
    future: list[pd.Series[pd.Timestamp]]

    def parts(self) -> tuple[list[pd.DataFrame], list[pd.Series[pd.Timestamp]], list[pd.Series[pd.Timestamp]]]:
        """Return the three lists in the order of the arguments."""
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
