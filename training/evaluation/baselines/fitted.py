"""Baselines that are fitted to each history, by arch and statsmodels or as they would do it.

A fit that does not converge, or that a history is too short or too even for, falls back to the random walk of the whole
history: a baseline always has an answer.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.signal import lfilter

from training.evaluation.baselines.walks import quantile_members
from training.evaluation.forecasters import QUANTILES, Members, Request

FEWEST_RETURNS = 20


class Fitted:
    """Fits one history at a time; `moments` is what a baseline adds."""

    name = "fitted"

    @property
    def digest(self) -> str:
        """Return the name: there is nothing else to set."""
        return self.name

    def forecast(self, request: Request) -> Members:
        """Return quantiles of the fitted model's Gaussian forecast of the log close."""
        moments = [self._safely(returns, request.horizon) for returns in request.returns]
        mean, deviation = (np.stack(part) for part in zip(*moments, strict=True))
        return Members(quantile_members(request.closes[:, -1], mean, deviation, QUANTILES), drawn=False)

    def moments(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (horizon,) of the log close, from the last one on in units of returns.

        Parameters
        ----------
        returns
            Past log returns (n,), in units of their standard deviation.
        """
        raise NotImplementedError

    def _safely(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        steps = np.arange(1, horizon + 1)
        unit = float(returns.std()) if len(returns) else 0.0
        walk = np.zeros(horizon), unit * np.sqrt(steps)
        if len(returns) < FEWEST_RETURNS or unit == 0.0:
            return walk
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # fits of noise complain; what comes out is checked below
                mean, deviation = self.moments(returns / unit, horizon)
        except (ValueError, np.linalg.LinAlgError):
            return walk
        mean, deviation = unit * np.asarray(mean), unit * np.asarray(deviation)
        # A fit that has gone astray promises what no market does.
        sane = np.isfinite([mean, deviation]).all() and (deviation > 0).all() and deviation[-1] < 10 * walk[1][-1]
        return (mean, deviation) if sane else walk


class Garch(Fitted):
    """GARCH(1,1) by arch, without drift; `asymmetric` is GJR, in which falls count more than rises."""

    def __init__(self, *, asymmetric: bool = False) -> None:
        self.asymmetric = asymmetric
        self.name = "gjr" if asymmetric else "garch"

    def moments(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return no mean, and the summed variances of the steps."""
        from arch import arch_model

        model = arch_model(returns, mean="Zero", p=1, o=int(self.asymmetric), q=1, rescale=False)
        fit = model.fit(disp="off", show_warning=False)
        variance = fit.forecast(horizon=horizon, reindex=False).variance.to_numpy()[-1]
        return np.zeros(horizon), np.sqrt(variance.cumsum())


class Ets(Fitted):
    """Simple exponential smoothing of the log close, ETS(A,N,N), from the first close on.

    What statsmodels' `ETSModel` fits, by one number and so in a hundredth of the time.
    """

    name = "ets"

    def moments(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the last level, and the exact deviation from it."""
        alpha = _smoothing(returns)
        errors = _errors(returns, alpha)
        steps = np.arange(horizon)
        return np.full(horizon, (alpha - 1) * errors[-1]), np.sqrt((errors**2).mean() * (1 + steps * alpha**2))


class Theta(Fitted):
    """The theta method on the log close (Assimakopoulos and Nikolopoulos, 2000), as statsmodels' `ThetaModel` has it.

    Its variance is that of simple exponential smoothing with half the trend as drift, which it is (Hyndman and Billah,
    2003, doi:10.1016/S0169-2070(01)00143-1).
    """

    name = "theta"

    def moments(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the forecast, and its deviation from the errors one step ahead."""
        level = np.concatenate(([0.0], returns.cumsum()))
        trend = np.polynomial.polynomial.polyfit(np.arange(len(level)), level, 1)[1]
        alpha, steps = _smoothing(returns), np.arange(horizon)
        smoothed = (alpha - 1) * _errors(returns, alpha)[-1]
        mean = smoothed + trend / 2 * (steps + (1 - (1 - alpha) ** len(level)) / alpha)
        errors = _errors(returns - trend / 2, alpha)
        return mean, np.sqrt((errors**2).mean() * (1 + steps * alpha**2))


class Arima(Fitted):
    """ARIMA(1,1,0) of the log close, its coefficient by the Yule-Walker equations of statsmodels."""

    name = "arima"

    def moments(self, returns: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the forecast and its standard error, in closed form."""
        from statsmodels.tsa.arima.estimators.yule_walker import yule_walker

        parameters, _ = yule_walker(returns, ar_order=1, demean=False)
        sums = (float(parameters.ar_params[0]) ** np.arange(horizon + 1)).cumsum()  # 1, 1 + a, 1 + a + a^2, ...
        mean = returns[-1] * (sums[1:] - 1)
        return mean, np.sqrt(float(parameters.sigma2) * (sums[:-1] ** 2).cumsum())


def _smoothing(returns: np.ndarray) -> float:
    """Return the weight of the latest close that makes the errors of exponential smoothing smallest."""
    found = minimize_scalar(
        lambda alpha: float((_errors(returns, alpha) ** 2).sum()),
        bounds=(1e-4, 1.0),
        method="bounded",
        options={"xatol": 1e-8},
    )
    return float(found.x)


def _errors(returns: np.ndarray, alpha: float) -> np.ndarray:
    """Return the errors one step ahead: each is the return, and what was not made up of the error before."""
    return np.asarray(lfilter([1.0], [1.0, alpha - 1.0], returns))
