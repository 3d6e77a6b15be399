"""A network that computes in no time, under the size `tiny`."""

from __future__ import annotations

import pytest

from benchmarks.cases import Case
from benchmarks.shapes import SHAPES, Shape, build_predictor
from engine.config import ModelConfig, TokenizerConfig
from engine.predictor import KronosPredictor

TINY = Shape(
    ModelConfig(s1_bits=5, s2_bits=6, n_layers=2, d_model=32, n_heads=2, ff_dim=48),
    TokenizerConfig(d_model=16, n_heads=2, ff_dim=24, s1_bits=5, s2_bits=6),
    context=24,
)


@pytest.fixture(autouse=True)
def _tiny(one_thread: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Know the size `tiny`, and compute on one thread."""
    monkeypatch.setitem(SHAPES, "tiny", TINY)


@pytest.fixture
def case() -> Case:
    """A window that fills: 20 candles and 8 to come in a context of 24."""
    return Case("tiny", series=2, samples=3, history=20, horizon=8, context=24, windows=("exact", "fit"))


@pytest.fixture
def predictor() -> KronosPredictor:
    return build_predictor(TINY)
