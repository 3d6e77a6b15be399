"""Who must fail, or else the judge is no judge: a model that learned nothing, and one shown a history without order."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Return tokenizer and predictor of the same shapes with the weights that training would begin with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = KronosTokenizer.from_config(predictor.tokenizer.config)
        model = Kronos.from_config(predictor.model.config)
    return KronosPredictor(
        model, tokenizer, predictor.device, predictor.max_context, predictor.clip, name=predictor.name
    )


@dataclass(frozen=True, eq=False)
class Shuffled:
    """A forecaster that is shown its history in random order, and judged by the future as it came."""

    forecaster: Forecaster

    @property
    def name(self) -> str:
        """Return the name that tables show."""
        return self.forecaster.name

    @property
    def digest(self) -> str:
        """Return that of the forecaster, marked."""
        return f"{self.forecaster.digest}/shuffled"

    def forecast(self, request: Request) -> Members:
        """Return what may follow each history, shuffled by the cutoff's seed."""
        return self.forecaster.forecast(replace(request, pasts=self._pasts(request)))

    def _pasts(self, request: Request) -> Sequence[AsOf]:
        found = []
        for past, seed in zip(request.pasts, request.seeds, strict=True):
            values = shuffled(past.last(request.lookback), np.random.default_rng(seed))
            found.append(AsOf(past.last_times(request.lookback), values, past.cutoff, past.name))
        return found


def shuffled(candles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return candles (N, 6) in random order, each as far from the close before it as it was; the ends stay.

    The first candle and the last close remain, since the same returns come to the same sum; volume and amount go with
    their candle.
    """
    order = 1 + rng.permutation(len(candles) - 1)
    prices = slice(0, len(PRICES))
    moves = np.log(candles[1:, prices] / candles[:-1, CLOSE, None])[order - 1]
    close = np.log(candles[0, CLOSE]) + np.r_[0.0, moves[:, CLOSE].cumsum()]
    found = np.concatenate([candles[:1], candles[order]])
    found[1:, prices] = np.exp(close[:-1, None] + moves)
    return found
