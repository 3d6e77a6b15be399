"""Series whose law is known, and a model of seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from engine.config import ModelConfig, TokenizerConfig
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import PREDICTOR, TOKENIZER
from training.evaluation.cutoffs import Series

HOUR = 3600 * 10**9


def walk(symbol: str, rows: int = 300, seed: int = 0, group: str = "crypto/1h", *, sigma: float = 0.01) -> Series:
    """Return a Gaussian random walk of hourly candles without a drift."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(rng.normal(0, sigma, rows).cumsum())
    return of_closes(close, symbol, group)


def of_closes(close: np.ndarray, symbol: str = "A", group: str = "crypto/1h") -> Series:
    """Return flat hourly candles at these closes."""
    times = pd.date_range("2024-01-01", periods=len(close), freq="h")
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    return Series.of(pd.DataFrame({"timestamp": times, **prices, "volume": 1.0}), symbol, group)


@pytest.fixture
def model() -> KronosPredictor:
    return tiny_model()


def tiny_model() -> KronosPredictor:
    """Return a model of random weights."""
    torch.manual_seed(3)
    tokenizer = KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER))
    return KronosPredictor(Kronos.from_config(ModelConfig(**PREDICTOR)), tokenizer, "cpu", max_context=64)
