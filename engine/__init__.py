"""The Kronos model: tokenizer, Transformer, sampling, loading. Never imports streamlit, a database or training."""

from engine.errors import KronosError
from engine.forecast import Forecast
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

__all__ = ["Forecast", "Kronos", "KronosError", "KronosPredictor", "KronosTokenizer"]
