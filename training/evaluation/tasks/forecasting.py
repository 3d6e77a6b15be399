"""Price, return and volatility forecasting: a walk forward by the paper's settings, beside the baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.predictor import KronosPredictor
from training.evaluation.baselines import VECTORISED, Garch
from training.evaluation.cutoffs import Cutoff, Series, spread
from training.evaluation.forecasters import Forecaster
from training.evaluation.kronos import KronosForecaster
from training.evaluation.report import Report
from training.evaluation.tasks.figures import by_market
from training.evaluation.tasks.outcome import Market
from training.evaluation.tasks.presets import Task
from training.evaluation.walk_forward import OnStep, walk_forward


def baselines(task: Task) -> tuple[Forecaster, ...]:
    """Return what a model stands beside; GARCH says nothing of where the price goes."""
    return (*VECTORISED, Garch()) if task.name == "volatility" else VECTORISED


def forecast(
    task: Task,
    predictor: KronosPredictor,
    series: Sequence[Series],
    window: tuple[int, int],
    *,
    folder: Path,
    count: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> tuple[Market | None, Sequence[Cutoff]]:
    """Return what came of one market, None where no series is long enough, and its cutoffs.

    Parameters
    ----------
    series
        Of one market and interval.
    window
        Candles of history and of forecast.
    folder
        Where scores are kept; see `walk_forward`.
    count
        Most cutoffs.
    on_step
        Called with batches done and in all; may raise to cancel.
    """
    lookback, horizon = window
    places = spread(series, lookback=lookback, horizon=horizon, count=count, seed=seed)
    if not places:
        return None, places
    model = KronosForecaster(predictor.name, predictor, task.samples, task.temperature, task.top_p)
    beside = baselines(task)
    results = walk_forward([model, *beside], places, folder, seed=seed, on_step=on_step)
    report = Report(results, [one.name for one in beside])
    name = places[0].group
    rows = by_market(task.name, report)[name]
    taken = f"{len(places)} cutoffs, {lookback} candles → {horizon}"
    return Market(name, taken, rows), places
