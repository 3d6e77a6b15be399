"""Baselines from past returns: a bootstrap, and volatility by time of day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.candles import CLOSE
from training.evaluation.asof import AsOf
from training.evaluation.baselines.walks import varying
from training.evaluation.forecasters import QUANTILES, Members, Request

DAY = 86_400 * 10**9
SLOT = 1_800 * 10**9  # half an hour
FEWEST_IN_SLOT = 5


@dataclass(frozen=True)
class Bootstrap:
    """Paths of demeaned past log returns, drawn with replacement."""

    name: str = "bootstrap"
    paths: int = QUANTILES

    @property
    def digest(self) -> str:
        """Return the name and the number of paths."""
        return f"{self.name}/{self.paths}"

    def forecast(self, request: Request) -> Members:
        """Draw paths from each past, seeded by the cutoff."""
        returns = request.returns - request.returns.mean(axis=1, keepdims=True)
        shape = (self.paths, request.horizon)
        picks = [np.random.default_rng(seed).integers(returns.shape[1], size=shape) for seed in request.seeds]
        drawn = np.take_along_axis(returns, np.stack(picks).reshape(len(picks), -1), axis=1)
        moves = drawn.reshape(len(picks), *shape).cumsum(axis=2)
        return Members(request.closes[:, -1, None, None] * np.exp(moves), drawn=True)


@dataclass(frozen=True)
class Seasonal:
    """A random walk with the volatility of the weekday for daily candles, else of the half hour of the day.

    A slot with fewer than five past candles has the volatility of all.
    """

    name: str = "seasonal"
    candles: int = 2000

    @property
    def digest(self) -> str:
        """Return the name and the number of candles."""
        return f"{self.name}/{self.candles}"

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the walk from each past."""
        return varying(request.closes[:, -1], self.variance(request))

    def variance(self, request: Request) -> np.ndarray:
        """Return the variance of each future step, (B, horizon)."""
        return np.stack(list(map(self._variance, request.pasts, request.future)))

    def _variance(self, past: AsOf, future: np.ndarray) -> np.ndarray:
        squares = np.diff(np.log(past.last(self.candles + 1)[:, CLOSE])) ** 2
        times = past.last_times(self.candles + 1)[1:]
        daily = bool(np.median(np.diff(times)) >= DAY) if len(times) > 1 else True
        slots, ahead = _slots(times, daily), _slots(future, daily)
        size = max(slots.max(initial=0), ahead.max()) + 1
        count = np.bincount(slots, minlength=size)
        mean = np.bincount(slots, squares, minlength=size) / np.maximum(count, 1)
        return np.asarray(np.where(count >= FEWEST_IN_SLOT, mean, squares.mean())[ahead])


def _slots(times: np.ndarray, daily: bool) -> np.ndarray:
    # 1970 began on a Thursday.
    return (times // DAY + 3) % 7 if daily else times % DAY // SLOT
