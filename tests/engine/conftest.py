"""The golden networks, and candles to forecast."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file
from torch import Tensor

from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """The golden numbers were computed on one thread; sums in another order differ in the last digits."""


@pytest.fixture(scope="session")
def golden() -> dict[str, Tensor]:
    return load_file(GOLDEN / "tensors.safetensors")


@pytest.fixture
def model() -> Kronos:
    return Kronos.from_pretrained(GOLDEN / "model")


@pytest.fixture
def tokenizer() -> KronosTokenizer:
    return KronosTokenizer.from_pretrained(GOLDEN / "tokenizer")


@pytest.fixture
def predictor(model: Kronos, tokenizer: KronosTokenizer) -> KronosPredictor:
    return KronosPredictor(model, tokenizer, "cpu", max_context=128)


@pytest.fixture(scope="session")
def candles() -> pd.DataFrame:
    """200 five-minute candles with a column `timestamps`."""
    return pd.read_csv(GOLDEN / "candles.csv", parse_dates=["timestamps"])
