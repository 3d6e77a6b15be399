"""Normalised sequences of candles, whatever the price and the volatility: real, drawn by a model, resampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.candles import CLOSE, PRICES
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Request, batches, request_of
from training.evaluation.kronos import KronosForecaster
from training.evaluation.walk_forward import AT_ONCE, OnStep

BLOCK = 8  # candles that are resampled together, to keep short dependence
LIMIT = 10.0  # of a feature, so that one candle cannot dominate the training


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences after the same pasts, each float32 (B, T, 4) as `features` makes it."""

    real: np.ndarray
    drawn: np.ndarray
    resampled: np.ndarray

    def part(self, chosen: np.ndarray) -> Sequences:
        """Return those of some cutoffs, by a mask (B,)."""
        return Sequences(self.real[chosen], self.drawn[chosen], self.resampled[chosen])


def features(candles: np.ndarray, before: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Return open, high, low and close of candles (B, T, 6) as log ratios to the previous close, float32 (B, T, 4).

    Volume is left out: many markets have none. `before` is the close before the first candle (B,); `unit` is the unit
    of the result (B,): the standard deviation of the history's log returns.
    """
    close = candles[..., CLOSE]
    previous = np.concatenate([before[:, None], close[:, :-1]], axis=1)
    moves = np.log(candles[..., : len(PRICES)] / previous[..., None]) / unit[:, None, None]
    return np.asarray(np.clip(moves, -LIMIT, LIMIT), dtype=np.float32)


def sequences(
    model: KronosForecaster, cutoffs: Sequence[Cutoff], *, seed: int, on_step: OnStep | None = None
) -> Sequences:
    """Return the actual candles after each cutoff, one drawn path of a model, and resampled blocks of the past.

    `on_step` is called with batches done and in total; it may raise to cancel.
    """
    parts = list(batches(cutoffs, AT_ONCE))
    arrays = []
    for done, part in enumerate(parts, start=1):
        arrays.append(_batch(model, part, request_of(part, seed)))
        if on_step:
            on_step(done, len(parts))
    return Sequences(*(np.concatenate(kind) for kind in zip(*arrays, strict=True)))


def blocks(past: np.ndarray, length: int, seeds: Sequence[int]) -> np.ndarray:
    """Return blocks of each past (B, L, 4) in random order, drawn with replacement, (B, length, 4)."""
    size = min(BLOCK, past.shape[1])
    count = -(-length // size)
    starts = np.stack([np.random.default_rng(seed).integers(past.shape[1] - size + 1, size=count) for seed in seeds])
    rows = (starts[..., None] + np.arange(size)).reshape(len(past), -1)[:, :length]
    return np.asarray(np.take_along_axis(past, rows[..., None], axis=1))


def _batch(model: KronosForecaster, cutoffs: Sequence[Cutoff], request: Request) -> tuple[np.ndarray, ...]:
    past = np.stack([one.last(request.lookback) for one in request.pasts])  # (B, lookback, 6)
    last, unit = past[:, -1, CLOSE], np.maximum(request.returns.std(axis=1), 1e-12)
    real = features(np.stack([cutoff.actual for cutoff in cutoffs]), last, unit)
    drawn = features(model.paths(request)[0][:, 0], last, unit)
    own = features(past[:, 1:], past[:, 0, CLOSE], unit)
    return real, drawn, blocks(own, request.horizon, request.seeds)
