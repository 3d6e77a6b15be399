"""Baselines: cheap forecasts that a model must beat.

A baseline is a small class with `name`, `digest` and `forecast` (`training.evaluation.forecasters.Forecaster`).
"""

from training.evaluation.baselines.fitted import Arima, Ets, Garch, Theta
from training.evaluation.baselines.resampled import Bootstrap, Seasonal
from training.evaluation.baselines.walks import Drift, Ewma, LastClose, Momentum, Walk, Window
from training.evaluation.forecasters import Forecaster

QUICK: tuple[Walk, ...] = (LastClose(), Drift(), Ewma())
VECTORISED: tuple[Forecaster, ...] = (*QUICK, Window(20), Window(100), Momentum(), Bootstrap(), Seasonal())
BASELINES: tuple[Forecaster, ...] = (*VECTORISED, Garch(), Garch(asymmetric=True), Ets(), Theta(), Arima())

__all__ = [
    "BASELINES", "QUICK", "VECTORISED", "Arima", "Bootstrap", "Drift", "Ets", "Ewma", "Garch", "LastClose", "Momentum",
    "Seasonal", "Theta", "Walk", "Window",
]  # fmt: skip
