"""Negative controls, which the judge must reject: untrained weights, and a model that sees its history shuffled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from engine.candles import CLOSE, PRICES
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.evaluation.asof import AsOf
from training.evaluation.forecasters import Forecaster, Members, Request


def untrained(predictor: KronosPredictor, seed: int = 0) -> KronosPredictor:
    """Return tokenizer and predictor of the same shapes with initial weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = KronosTokenizer.from_config(predictor.tokenizer.config)
        model = Kronos.from_config(predictor.model.config)
    return KronosPredictor(
        model, tokenizer, predictor.device, predictor.max_context, predictor.clip, name=predictor.name
    )


@dataclass(frozen=True, eq=False)
class Shuffled:
    """A forecaster that sees its history in random order; the actuals stay as they are."""

    forecaster: Forecaster

    @property
    def name(self) -> str:
        """Return the name shown in tables."""
        return self.forecaster.name

    @property
    def digest(self) -> str:
        """Return the forecaster's digest, marked."""
        return f"{self.forecaster.digest}/shuffled"

    def forecast(self, request: Request) -> Members:
        """Return the forecast from each history, shuffled with the cutoff's seed."""
        pasts = []
        for past, seed in zip(request.pasts, request.seeds, strict=True):
            values = shuffled(past.last(request.lookback), np.random.default_rng(seed))
            pasts.append(AsOf(past.last_times(request.lookback), values, past.cutoff, past.name))
        return self.forecaster.forecast(replace(request, pasts=pasts))


def shuffled(candles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return candles (N, 6) in random order, each with its own log returns from the close before it.

    The first candle and the last close stay the same, since the returns have the same sum; volume and amount stay with
    their candle.
    """
    order = 1 + rng.permutation(len(candles) - 1)
    prices = slice(0, len(PRICES))
    moves = np.log(candles[1:, prices] / candles[:-1, CLOSE, None])[order - 1]
    close = np.log(candles[0, CLOSE]) + np.r_[0.0, moves[:, CLOSE].cumsum()]
    result = np.concatenate([candles[:1], candles[order]])
    result[1:, prices] = np.exp(close[:-1, None] + moves)
    return result
