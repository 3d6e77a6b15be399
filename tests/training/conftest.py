"""A small corpus on disk, a tiny tokenizer, and the settings of a run of seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.config import TokenizerConfig
from engine.tokenizer import KronosTokenizer
from training.config import TrainingConfig

SHAPE: dict[str, Any] = {"d_model": 16, "n_heads": 2, "ff_dim": 16, "s1_bits": 4, "s2_bits": 4}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-equal sums need the same order, hence one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def candles(symbol: str, rows: int, seed: int, start: str = "2024-01-01", split: str = "train") -> pd.DataFrame:
    """Return a random walk as the rows of one symbol."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    opening = np.concatenate(([50.0], close[:-1]))
    spread = rng.uniform(1, 1.01, rows)
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": pd.date_range(start, periods=rows, freq="h"),
            "open": opening,
            "high": np.maximum(opening, close) * spread,
            "low": np.minimum(opening, close) / spread,
            "close": close,
            "volume": rng.uniform(100, 200, rows),
            "amount": rng.uniform(5000, 10000, rows),
            "split": split,
        }
    )


def write(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two markets, the larger with nine times the rows, each with a validation split."""
    for market, rows in (("crypto", 900), ("stocks", 100)):
        parts = [
            candles("A", rows, seed=rows),
            candles("B", rows, seed=rows + 1),
            candles("A", 120, seed=3, start="2025-01-01", split="val"),
        ]
        write(pd.concat(parts), tmp_path / "data" / market / "1h.parquet")
    return tmp_path / "data"


@pytest.fixture
def config() -> TrainingConfig:
    return TrainingConfig(
        stage="predictor",
        steps=6,
        batch=2,
        window=32,
        prefix_min=8,
        prefix_max=20,
        learning_rate=1e-3,
        warmup=2,
        validation_windows=4,
        validate_every=3,
        log_every=1,
    )


@pytest.fixture
def tokenizer() -> KronosTokenizer:
    torch.manual_seed(3)
    return KronosTokenizer.from_config(TokenizerConfig(n_enc_layers=2, n_dec_layers=2, **SHAPE))
