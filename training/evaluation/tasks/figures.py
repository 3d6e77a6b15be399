"""What price, return and volatility forecasting ask of a walk forward, by market and forecaster."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from training.evaluation.inference import Estimate, estimates
from training.evaluation.records import KEYS
from training.evaluation.report import Report
from training.evaluation.summary import pooled, realised
from training.evaluation.tasks.presets import TaskName

INDEX = [*KEYS, "forecaster"]
Rows = Mapping[str, Mapping[str, Estimate]]


def by_market(task: TaskName, report: Report) -> dict[str, Rows]:
    """Return by market and forecaster the figures of a task, each with its interval.

    price
        `ic` and `rank_ic` between the mean path and what came, over the steps of each forecast, averaged over
        forecasts. A forecast that says the same of every step has none.
    return
        `ic` and `rank_ic` between the forecast and the actual return of the last step, over all cutoffs together.
    volatility
        `mae` and `r2` of the forecast of realised volatility.
    """
    table = report.table
    if task == "price":
        table = pd.concat([path_correlations(part) for part in report.results.parts()])
    found: dict[str, dict[str, Mapping[str, Estimate]]] = {}
    for (market, forecaster), rows in table.groupby(level=["group", "forecaster"], sort=False):
        found.setdefault(str(market), {})[str(forecaster)] = _figures(task, rows, report.results.overlap)
    return {market: found[market] for market in sorted(found)}


def path_correlations(steps: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cutoff of one file of `records`: `ic` and `rank_ic` between mean path and what came."""
    horizon = int(steps["step"].max())
    forecast, actual = (steps[name].to_numpy().reshape(-1, horizon) for name in ("mean", "actual"))
    found = {name: correlations(forecast, actual, ranks=name == "rank_ic") for name in ("ic", "rank_ic")}
    return pd.DataFrame(found, index=pd.MultiIndex.from_frame(steps[INDEX].iloc[::horizon]))


def correlations(one: np.ndarray, other: np.ndarray, *, ranks: bool) -> np.ndarray:
    """Return the correlation of each row of two arrays (B, H), Spearman's by `ranks`; as `scores.correlation`."""
    still = (np.ptp(one, axis=1) == 0) | (np.ptp(other, axis=1) == 0)
    if one.shape[1] < 3:
        return np.full(len(one), np.nan)
    if ranks:
        one, other = (stats.rankdata(values, axis=1) for values in (one, other))
    one, other = (values - values.mean(axis=1, keepdims=True) for values in (one, other))
    size = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.asarray((one * other).sum(axis=1) / np.where(still, np.nan, size))


def _figures(task: TaskName, rows: pd.DataFrame, overlap: int) -> dict[str, Estimate]:
    if task == "price":
        times = rows.index.get_level_values("time").to_numpy()
        found = estimates(rows[["ic", "rank_ic"]].to_numpy(), times, overlap=overlap)
        return dict(zip(("ic", "rank_ic"), found, strict=True))
    if task == "return":
        known = pooled(rows[np.isfinite(rows["last_actual"])], overlap)
        return {name: known[name] for name in ("ic", "rank_ic")}
    return {name.removeprefix("volatility_"): value for name, value in realised(rows, overlap=overlap).items()}
