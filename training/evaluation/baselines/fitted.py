"""Fitted baselines, by arch and statsmodels or with the same results: to each history, or once a series.

A fit that fails, or whose history is too short or constant, falls back to the random walk of the whole history.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter

from engine.candles import CLOSE
from training.evaluation.baselines.walks import quantile_members
from training.evaluation.forecasters import QUANTILES, Members, Request

if TYPE_CHECKING:
    from arch.univariate import HARX

FEWEST_RETURNS = 20
Parameters = tuple[float, ...]


class Fitted:
    """A baseline fitted to one history at a time, or without `refit` to the first of its series alone.

    Subclasses define `_fit`, which returns the parameters of log returns (n,) in units of their standard deviation,
    and `_filter`, which returns mean and standard deviation (horizon,) of the log close, in the same units.
    """

    name = "fitted"
    refit = True
    _fits: dict[bytes, Parameters] | None = None

    @property
    def digest(self) -> str:
        """Return the name, marked without `refit`."""
        return self.name if self.refit else f"{self.name}/held"

    def held(self) -> Self:
        """Return a copy whose parameters are fitted once a series, at its first cutoff."""
        other = copy(self)
        other.refit, other._fits = False, {}
        return other

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the fitted model's Gaussian forecast of the log close."""
        learned = request.returns if self.refit else _first_returns(request)
        moments = [self._safely(*pair, request.horizon) for pair in zip(request.returns, learned, strict=True)]
        mean, deviation = (np.stack(part) for part in zip(*moments, strict=True))
        return Members(quantile_members(request.closes[:, -1], mean, deviation, QUANTILES), drawn=False)

    def _fit(self, returns: np.ndarray) -> Parameters:
        raise NotImplementedError

    def _filter(self, parameters: Parameters, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _safely(self, returns: np.ndarray, learned: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(1, horizon + 1)
        walk = np.zeros(horizon), (float(returns.std()) if len(returns) else 0.0) * np.sqrt(steps)
        unit = float(learned.std()) if len(learned) else 0.0
        if len(learned) < FEWEST_RETURNS or unit == 0.0:
            return walk
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the result is checked below
                mean, deviation = self._filter(self._parameters(learned / unit), returns / unit, horizon)
        except (ValueError, np.linalg.LinAlgError):
            return walk
        mean, deviation = unit * np.asarray(mean), unit * np.asarray(deviation)
        # A diverged fit has an implausible deviation.
        sane = np.isfinite([mean, deviation]).all() and (deviation > 0).all() and deviation[-1] < 10 * walk[1][-1]
        return (mean, deviation) if sane else walk

    def _parameters(self, learned: np.ndarray) -> Parameters:
        """Return the fitted parameters; without `refit`, each series is fitted once."""
        if self._fits is None:
            return self._fit(learned)
        key = learned.tobytes()
        if key not in self._fits:
            self._fits[key] = self._fit(learned)
        return self._fits[key]


class Garch(Fitted):
    """GARCH(1,1) by arch, without drift; `asymmetric` is GJR-GARCH."""

    def __init__(self, *, asymmetric: bool = False) -> None:
        self.asymmetric = asymmetric
        self.name = "gjr" if asymmetric else "garch"

    def _fit(self, returns: np.ndarray) -> Parameters:
        return tuple(self._model(returns).fit(disp="off", show_warning=False).params)

    def _filter(self, parameters: Parameters, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        fixed = self._model(returns).fix(np.asarray(parameters))
        variance = fixed.forecast(horizon=horizon, reindex=False).variance.to_numpy()[-1]
        return np.zeros(horizon), np.sqrt(variance.cumsum())

    def _model(self, returns: np.ndarray) -> HARX:
        from arch import arch_model

        return arch_model(returns, mean="Zero", p=1, o=int(self.asymmetric), q=1, rescale=False)


class Ets(Fitted):
    """Simple exponential smoothing of the log close, ETS(A,N,N): as statsmodels' `ETSModel`, a hundred times faster."""

    name = "ets"

    def _fit(self, returns: np.ndarray) -> Parameters:
        alpha = _smoothing(returns)
        return alpha, float((_errors(returns, alpha) ** 2).mean())

    def _filter(self, parameters: Parameters, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        alpha, variance = parameters
        level = (alpha - 1) * _errors(returns, alpha)[-1]
        return np.full(horizon, level), np.sqrt(variance * (1 + np.arange(horizon) * alpha**2))


class Theta(Fitted):
    """The theta method on the log close (Assimakopoulos and Nikolopoulos, 2000), as statsmodels' `ThetaModel`.

    It equals simple exponential smoothing with half the trend as drift, whose variance it has (Hyndman and Billah,
    2003, doi:10.1016/S0169-2070(01)00143-1).
    """

    name = "theta"

    def _fit(self, returns: np.ndarray) -> Parameters:
        level = np.concatenate(([0.0], returns.cumsum()))
        trend = float(np.polynomial.polynomial.polyfit(np.arange(len(level)), level, 1)[1])
        alpha = _smoothing(returns)
        return alpha, trend, float((_errors(returns - trend / 2, alpha) ** 2).mean())

    def _filter(self, parameters: Parameters, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        alpha, trend, variance = parameters
        steps = np.arange(horizon)
        smoothed = (alpha - 1) * _errors(returns, alpha)[-1]
        mean = smoothed + trend / 2 * (steps + (1 - (1 - alpha) ** (len(returns) + 1)) / alpha)
        return mean, np.sqrt(variance * (1 + steps * alpha**2))


class Arima(Fitted):
    """ARIMA(1,1,0) of the log close, with the Yule-Walker estimate of statsmodels."""

    name = "arima"

    def _fit(self, returns: np.ndarray) -> Parameters:
        from statsmodels.tsa.arima.estimators.yule_walker import yule_walker

        parameters, _ = yule_walker(returns, ar_order=1, demean=False)
        return float(parameters.ar_params[0]), float(parameters.sigma2)

    def _filter(self, parameters: Parameters, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        coefficient, variance = parameters
        sums = (coefficient ** np.arange(horizon + 1)).cumsum()  # 1, 1 + a, 1 + a + a^2, ...
        return returns[-1] * (sums[1:] - 1), np.sqrt(variance * (sums[:-1] ** 2).cumsum())


def _first_returns(request: Request) -> list[np.ndarray]:
    """Return the log returns known at the first cutoff of each series, as many as at the others."""
    times = [past.cutoff for past in request.pasts] if request.first is None else request.first
    closes = [past.until(time)[-request.lookback :, CLOSE] for past, time in zip(request.pasts, times, strict=True)]
    return [np.diff(np.log(close)) for close in closes]


def _smoothing(returns: np.ndarray) -> float:
    """Return the smoothing weight with the smallest squared errors."""
    minimum = minimize_scalar(
        lambda alpha: float((_errors(returns, alpha) ** 2).sum()),
        bounds=(1e-4, 1.0),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(minimum.x)


def _errors(returns: np.ndarray, alpha: float) -> np.ndarray:
    """Return the one-step errors of exponential smoothing."""
    return np.asarray(lfilter([1.0], [1.0, alpha - 1.0], returns))
