"""From candles to tensors and back: time marks, normalisation and the repair of impossible candles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

PRICES = ("open", "high", "low", "close")
FEATURES = (*PRICES, "volume", "amount")
OPEN, HIGH, LOW, CLOSE, VOLUME, AMOUNT = range(6)

CLIP = 5.0
EPSILON = 1e-5
TINY = 0.1  # below this level EPSILON would flatten a series
PRICE_FLOOR = 1e-3  # lowest price of a path, as a fraction of the lowest price in the history


def time_marks(timestamps: pd.DatetimeIndex) -> np.ndarray:
    """Return int64 (T, 5): minute, hour, weekday (Monday 0), day and month of each candle."""
    t = timestamps
    return np.stack([t.minute, t.hour, t.day_of_week, t.day, t.month], axis=1).astype(np.int64)


@dataclass(frozen=True)
class Normaliser:
    """Scales raw candles to the tokenizer's input and back, by the statistics of the history only.

    Attributes
    ----------
    factor, mean, std
        Arrays (..., 1, 6). `factor` is a power of two, different from 1 only for tiny prices, volumes or amounts; mean
        and population standard deviation are those of the history times `factor`.
    """

    factor: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def fit(
        cls, values: np.ndarray, history: np.ndarray | None = None, *, shared_deviation: bool = False
    ) -> Normaliser:
        """Compute the statistics of raw candles `values` (..., T, 6) where `history` (..., T) is true; see `of`."""
        where = np.ones(values.shape[:-1], dtype=bool) if history is None else history
        mask = where[..., None]
        count = where.sum(axis=-1)[..., None, None]
        mean = values.sum(axis=-2, where=mask, keepdims=True) / count
        # From deviations, not from squares: large prices with small moves keep their digits.
        std = np.sqrt(((values - mean) ** 2).sum(axis=-2, where=mask, keepdims=True) / count)
        return cls.of(mean, std, shared_deviation=shared_deviation)

    @classmethod
    def of(cls, mean: np.ndarray, std: np.ndarray, *, shared_deviation: bool = False) -> Normaliser:
        """Build from the mean and population standard deviation (..., 6) of raw candles.

        Parameters
        ----------
        shared_deviation
            Use the deviation of the close for all four prices, see `TokenizerConfig`; if the close never moved, the
            largest of the four.
        """
        if shared_deviation:
            prices, close = std[..., :4], std[..., CLOSE, None]
            shared = np.where(close > 0, close, prices.max(axis=-1, keepdims=True))
            std = np.concatenate([np.broadcast_to(shared, prices.shape), std[..., 4:]], axis=-1)
        factor = _unit_scale(mean)
        return cls(factor, mean * factor, std * factor)

    def apply(self, values: np.ndarray, clip: float = CLIP) -> np.ndarray:
        """Return float32 `values` (..., T, 6) in units of the history's deviations, clipped to ±`clip`."""
        x = (values * self.factor - self.mean) / (self.std + EPSILON)
        return np.asarray(np.clip(x, -clip, clip), dtype=np.float32)

    def invert(self, x: np.ndarray) -> np.ndarray:
        """Return the float64 raw candles of normalised `x` (..., T, 6)."""
        return np.asarray((x.astype(np.float64) * (self.std + EPSILON) + self.mean) / self.factor)


def _unit_scale(mean: np.ndarray) -> np.ndarray:
    """Return powers of two that scale tiny levels to [1, 2): one for all prices, one each for volume and amount."""
    level = np.abs(mean)
    level[..., :4] = level[..., :4].mean(axis=-1, keepdims=True)
    tiny = (level > 0) & (level < TINY)
    return np.where(tiny, np.exp2(-np.floor(np.log2(np.where(tiny, level, 1.0)))), 1.0)


def repair_paths(paths: np.ndarray, *, price_floor: float) -> tuple[np.ndarray, int]:
    """Return possible candles and the number of changed ones.

    High becomes the highest and low the lowest of the candle's four prices, a price below `price_floor` becomes
    `price_floor`, and negative volume or amount becomes zero.

    Parameters
    ----------
    paths
        Decoded candles (..., T, 6).
    price_floor
        Lowest price allowed, above zero.
    """
    fixed = paths.copy()
    prices = np.maximum(fixed[..., :4], price_floor)
    fixed[..., :4] = prices
    fixed[..., HIGH] = prices.max(axis=-1)
    fixed[..., LOW] = prices.min(axis=-1)
    fixed[..., VOLUME:] = np.maximum(fixed[..., VOLUME:], 0.0)
    return fixed, int((fixed != paths).any(axis=-1).sum())
