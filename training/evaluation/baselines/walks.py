"""Random walks of the log close; each defines drift and volatility of a step, for all cutoffs at once."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from engine.candles import CLOSE
from training.evaluation.forecasters import QUANTILES, Members, Request

EWMA_DECAY = 0.94  # RiskMetrics, 1996


def quantile_members(last: np.ndarray, mean: np.ndarray, deviation: np.ndarray, members: int) -> np.ndarray:
    """Return log-normal closes (B, members, H) at the quantile levels (i + 1/2) / members.

    `mean` and `deviation` (B, H) are of the log return from the closes `last` (B,) to each step.
    """
    z = norm.ppf((np.arange(members) + 0.5) / members)[:, None]  # (members, 1)
    return np.asarray(last[:, None, None] * np.exp(mean[:, None] + deviation[:, None] * z))


def varying(last: np.ndarray, variance: np.ndarray) -> Members:
    """Return quantiles of walks without drift from the closes `last` (B,) with steps of the variances (B, H)."""
    deviation = np.sqrt(variance.cumsum(axis=1))
    return Members(quantile_members(last, np.zeros_like(deviation), deviation, QUANTILES), drawn=False)


class Walk:
    """A random walk of identical steps, which `step` defines."""

    name = "walk"

    @property
    def digest(self) -> str:
        """Return the name: there are no other settings."""
        return self.name

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the walk from each past."""
        return Members(self.members(request.closes, request.horizon, QUANTILES), drawn=False)

    def members(self, close: np.ndarray, horizon: int, members: int) -> np.ndarray:
        """Return closes (B, members, horizon) after the closes (B, lookback)."""
        returns = np.diff(np.log(close), axis=1) if close.shape[1] > 1 else np.zeros((len(close), 1))
        drift, volatility = self.step(returns)
        steps = np.arange(1, horizon + 1)
        mean, deviation = drift[:, None] * steps, volatility[:, None] * np.sqrt(steps)
        return quantile_members(close[:, -1], mean, deviation, members)

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (B,) of a step's log return, from past ones (B, n)."""
        raise NotImplementedError


class LastClose(Walk):
    """The last close, with the volatility of the whole history around it."""

    name = "last_close"

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return zero drift."""
        return np.zeros(len(returns)), returns.std(axis=1)


class Drift(Walk):
    """A random walk with the history's mean log return as drift."""

    name = "drift"

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of all returns."""
        return returns.mean(axis=1), returns.std(axis=1)


class Ewma(Walk):
    """A random walk with exponentially weighted volatility: 0.94 to the power of age."""

    name = "ewma"

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return zero drift."""
        weights = EWMA_DECAY ** np.arange(returns.shape[1])[::-1]
        return np.zeros(len(returns)), np.sqrt((weights * returns**2).sum(axis=1) / weights.sum())


class Window(Walk):
    """A random walk with the volatility of the last `candles`, even where the model's history is shorter."""

    def __init__(self, candles: int) -> None:
        self.candles, self.name = candles, f"walk_{candles}"

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the walk from each past."""
        closes = [past.last(self.candles + 1)[None, :, CLOSE] for past in request.pasts]
        parts = [self.members(close, request.horizon, QUANTILES) for close in closes]
        return Members(np.concatenate(parts), drawn=False)

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return zero drift."""
        return np.zeros(len(returns)), np.sqrt((returns[:, -self.candles :] ** 2).mean(axis=1))


class Momentum(Walk):
    """A random walk with the mean log return of the last `candles` as drift."""

    def __init__(self, candles: int = 5) -> None:
        self.candles, self.name = candles, f"momentum_{candles}"

    def step(self, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the last returns, with the volatility of the whole history."""
        return returns[:, -self.candles :].mean(axis=1), returns.std(axis=1)
