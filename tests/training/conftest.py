"""Candles of two markets on disk, tiny networks, and the settings of a run of seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from engine.candles import FEATURES, time_marks
from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.fit.corpus import Corpus, Segment, digest_of
from training.run.config import RunConfig, SplitName

TOKENIZER: dict[str, Any] = {
    "d_in": 6,
    "d_model": 16,
    "n_heads": 2,
    "ff_dim": 16,
    "n_enc_layers": 2,
    "n_dec_layers": 2,
    "ffn_dropout_p": 0.0,
    "attn_dropout_p": 0.0,
    "resid_dropout_p": 0.0,
    "s1_bits": 4,
    "s2_bits": 4,
    "beta": 0.05,
    "gamma0": 1.0,
    "gamma": 1.1,
    "zeta": 0.05,
    "group_size": 4,
}
PREDICTOR: dict[str, Any] = {
    "d_model": 16,
    "n_heads": 2,
    "ff_dim": 32,
    "n_layers": 2,
    "s1_bits": 4,
    "s2_bits": 4,
    "ffn_dropout_p": 0.1,
    "attn_dropout_p": 0.1,
    "resid_dropout_p": 0.1,
    "token_dropout_p": 0.1,
    "learn_te": True,
}


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """Bit-equal sums need the same order, hence one thread."""


def candles(symbol: str, rows: int, seed: int, start: str = "2024-01-01", freq: str = "h") -> pd.DataFrame:
    """Return a random walk as the rows of one symbol."""
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, rows)))
    opening = np.concatenate(([50.0], close[:-1]))
    spread = rng.uniform(1, 1.01, rows)
    return pd.DataFrame(
        {
            "symbol": symbol,
            "timestamp": pd.date_range(start, periods=rows, freq=freq, unit="ns"),
            "open": opening,
            "high": np.maximum(opening, close) * spread,
            "low": np.minimum(opening, close) / spread,
            "close": close,
            "volume": rng.uniform(100, 200, rows),
            "amount": rng.uniform(5000, 10000, rows),
        }
    )


def write(frame: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return path


def corpus_of(*parts: tuple[str, pd.DataFrame, SplitName]) -> Corpus:
    """Return a corpus in memory: one segment for each group, candles of one symbol, and split."""
    frames = [frame for _, frame, _ in parts]
    stops = np.cumsum([len(frame) for frame in frames]).tolist()
    segments = tuple(
        Segment(group, str(frame["symbol"].iloc[0]), split, stop - len(frame), stop)
        for (group, frame, split), stop in zip(parts, stops, strict=True)
    )
    whole = pd.concat(frames, ignore_index=True)
    times = pd.DatetimeIndex(whole["timestamp"]).as_unit("ns")
    values = whole[list(FEATURES)].to_numpy(np.float32)
    marks, moments = time_marks(times).astype(np.uint8), times.asi8
    return Corpus(values, marks, moments, segments, digest_of((values, marks, moments), segments))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two markets of two symbols each, the larger market with more than twice the candles."""
    for market, rows in (("crypto", 900), ("stocks", 400)):
        parts = [candles("A", rows, seed=rows), candles("B", rows, seed=rows + 1)]
        write(pd.concat(parts), tmp_path / "data" / market / "1h.parquet")
    return tmp_path / "data"


@pytest.fixture
def config(data: Path) -> RunConfig:
    """A run from scratch on `data`, of both stages, with every schedule of the loop short."""
    stage = {
        "steps": 6,
        "batch": 4,
        "learning_rate": 1e-3,
        "validate_every": 3,
        "validation_windows": 4,
        "checkpoint_every": 2,
        "log_every": 1,
    }
    return RunConfig.model_validate(
        {
            "data": {"source": "files", "paths": [str(data)]},
            "split": {"fractions": [0.6, 0.2, 0.2]},
            "window": {"lookback": 20, "horizon": 12, "lookback_min": 8},
            "base": {"model": None, "shape": PREDICTOR, "tokenizer_shape": TOKENIZER},
            "tokenizer": stage,
            "predictor": stage,
            "judge": {"cutoffs": 2, "final_cutoffs": 4, "samples": 4},
            "machine": {"device": "cpu", "threads": 1},
            "track": {"tensorboard": False},
        }
    )


@pytest.fixture
def corpus() -> Corpus:
    """Candles in memory of two markets, with a train and a validation segment of each symbol."""
    parts: list[tuple[str, pd.DataFrame, SplitName]] = []
    for group, rows in (("crypto/1h", 900), ("stocks/1h", 300)):
        for seed, symbol in enumerate("AB"):
            frame = candles(symbol, rows + 132, seed=rows + seed)
            parts += [(group, frame[:rows], "train"), (group, frame[rows + 32 :], "validation")]
    return corpus_of(*parts)


@pytest.fixture
def tokenizer() -> KronosTokenizer:
    torch.manual_seed(3)
    return KronosTokenizer.from_config(TokenizerConfig(**TOKENIZER))


@pytest.fixture
def predictor() -> Kronos:
    torch.manual_seed(4)
    return Kronos.from_config(ModelConfig(**PREDICTOR))
