"""Price, return and volatility forecasting: a walk-forward evaluation by the paper's settings, and its figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.evaluation.baselines import VECTORISED, Garch
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Forecaster
from training.evaluation.inference import Estimate, estimates
from training.evaluation.records import INDEX
from training.evaluation.report import Report
from training.evaluation.scores import correlations
from training.evaluation.summary import pooled, times_of, volatility_errors
from training.evaluation.tasks.outcome import Market, MarketRun, Rows
from training.evaluation.tasks.presets import TaskName
from training.evaluation.walk_forward import walk_forward

CORRELATIONS = {"ic": False, "rank_ic": True}  # whether of ranks


def forecast(run: MarketRun) -> tuple[Market, Sequence[Cutoff]] | None:
    """Return the result of one market and its cutoffs, None where no series is long enough."""
    cutoffs = run.cutoffs
    if not cutoffs:
        return None
    baselines: tuple[Forecaster, ...] = VECTORISED
    if run.task.name == "volatility":  # GARCH does not forecast where the price goes
        baselines = (*VECTORISED, Garch())
    results = walk_forward([run.model, *baselines], cutoffs, run.folder, seed=run.seed, on_step=run.on_step)
    report = Report(results, [baseline.name for baseline in baselines])
    name, (lookback, horizon) = cutoffs[0].group, run.window
    used = f"{len(cutoffs)} cutoffs, {lookback} candles → {horizon}"
    return Market(name, used, by_market(run.task.name, report)[name]), cutoffs


def by_market(task: TaskName, report: Report) -> dict[str, Rows]:
    """Return the figures of a task by market and forecaster.

    price
        `ic` and `rank_ic` between the mean path and the actual one, over the steps of each forecast, averaged over
        forecasts. A constant forecast has none.
    return
        `ic` and `rank_ic` between the forecast and the actual return of the last step, across all cutoffs.
    volatility
        `mae` and `r2` of the forecast of realized volatility.
    """
    table = report.table
    if task == "price":
        table = pd.concat([path_correlations(part) for part in report.results.parts()])
    markets: dict[str, dict[str, dict[str, Estimate]]] = {}
    for (market, forecaster), rows in table.groupby(level=["group", "forecaster"]):
        markets.setdefault(str(market), {})[str(forecaster)] = _figures(task, rows, report.results.overlap)
    order = report.names
    return {market: {name: rows[name] for name in order if name in rows} for market, rows in markets.items()}


def path_correlations(steps: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cutoff of one file of `records`: `ic` and `rank_ic` between mean path and actual path."""
    horizon = int(steps["step"].max())
    mean, actual = (steps[name].to_numpy().reshape(-1, horizon) for name in ("mean", "actual"))
    columns = {name: correlations(mean, actual, ranks=ranks) for name, ranks in CORRELATIONS.items()}
    return pd.DataFrame(columns, index=pd.MultiIndex.from_frame(steps[INDEX].iloc[::horizon]))


def _figures(task: TaskName, rows: pd.DataFrame, overlap: int) -> dict[str, Estimate]:
    if task == "price":
        means = estimates(rows[list(CORRELATIONS)].to_numpy(), times_of(rows), overlap=overlap)
        return dict(zip(CORRELATIONS, means, strict=True))
    if task == "return":
        known = pooled(rows[np.isfinite(rows["last_actual"])], overlap)
        return {name: known[name] for name in CORRELATIONS}
    return {name.removeprefix("volatility_"): value for name, value in volatility_errors(rows, overlap=overlap).items()}
