"""The Kronos model: tokenizer, Transformer, sampling, loading. Never imports streamlit, a database or training.

Names are imported at their first use, so that a list of the models does not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.errors import KronosError
    from engine.forecast import Forecast
    from engine.predictor import KronosPredictor
    from engine.tokenizer import KronosTokenizer
    from engine.transformer import Kronos

__all__ = ["Forecast", "Kronos", "KronosError", "KronosPredictor", "KronosTokenizer"]

_HOMES = {
    "Forecast": "engine.forecast",
    "Kronos": "engine.transformer",
    "KronosError": "engine.errors",
    "KronosPredictor": "engine.predictor",
    "KronosTokenizer": "engine.tokenizer",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
