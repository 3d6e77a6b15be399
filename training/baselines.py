"""Forecasts that cost nothing: what a model must beat before anyone should look at it.

Each baseline takes the closes of a history (lookback,) and returns equally likely closes for each step,
(members, horizon). Members of a step are quantiles of its distribution at fixed levels, so a baseline needs no seed;
they are not paths.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import norm

EWMA_DECAY = 0.94  # RiskMetrics, 1996
Baseline = Callable[[np.ndarray, int, int], np.ndarray]


def last_close(close: np.ndarray, horizon: int, members: int) -> np.ndarray:
    """Return a random walk around the last close, with the volatility of the whole history."""
    return _log_normal(close, horizon, members, drift=0.0, volatility=_returns(close).std())


def drift(close: np.ndarray, horizon: int, members: int) -> np.ndarray:
    """Return a random walk that goes on with the history's mean log return."""
    returns = _returns(close)
    return _log_normal(close, horizon, members, drift=returns.mean(), volatility=returns.std())


def ewma(close: np.ndarray, horizon: int, members: int) -> np.ndarray:
    """Return a random walk around the last close whose volatility weighs recent returns more."""
    returns = _returns(close)
    weights = EWMA_DECAY ** np.arange(len(returns))[::-1]
    volatility = np.sqrt((weights * returns**2).sum() / weights.sum()) if len(returns) else 0.0
    return _log_normal(close, horizon, members, drift=0.0, volatility=volatility)


BASELINES: dict[str, Baseline] = {"last_close": last_close, "drift": drift, "ewma": ewma}


def _returns(close: np.ndarray) -> np.ndarray:
    returns: np.ndarray = np.diff(np.log(close))
    return returns if len(returns) else np.zeros(1)


def _log_normal(close: np.ndarray, horizon: int, members: int, *, drift: float, volatility: float) -> np.ndarray:
    steps = np.arange(1, horizon + 1)
    z = norm.ppf((np.arange(members) + 0.5) / members)[:, None]  # (members, 1)
    return np.asarray(close[-1] * np.exp(drift * steps + volatility * np.sqrt(steps) * z))
