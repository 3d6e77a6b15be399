"""The figures of the table, each a function of the scores of cutoffs, whoever forecast them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from training.evaluation import scores
from training.evaluation.inference import Estimate, estimates, ratio
from training.evaluation.summary import FORESEEN, ranking

VOLATILITY_BASELINE = "ewma"
SURE = 0.95


@dataclass(frozen=True)
class Line:
    """What came out over some cutoffs.

    Attributes
    ----------
    cutoffs, times
        How many there were; of different times.
    crps
        Mean CRPS by forecaster, in units of the history's volatility times the root of the horizon.
    best
        The baseline of lowest CRPS.
    foreseen
        CRPS of a random walk that knew the volatility to come (see `foreseen`), as a ratio to that of `best`.
    centred
        CRPS of the model without its drift (see `scores.crps_centred`), as a ratio to that of `best`.
    figures
        crps_ratio (to that of the best baseline), coverage_90, coverage_80, ks (of the PIT at the last step),
        volatility_ratio (see `volatility_ratio`), pull (see `pull`), first_gap (median), impossible (share of candles).
    pull_forecast, pull_actual
        The two slopes whose difference the pull is.
    ks_chance
        Distance that as many values of a right law stay below in 95 of 100 cases, if they are independent.
    """

    cutoffs: int
    times: int
    crps: Mapping[str, float]
    best: str
    foreseen: Estimate
    centred: Estimate
    figures: Mapping[str, Estimate]
    pull_forecast: Estimate
    pull_actual: Estimate
    ks_chance: float

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "cutoffs": self.cutoffs,
            "times": self.times,
            "crps": {name: Estimate(value).to_dict()["value"] for name, value in self.crps.items()},
            "best_baseline": self.best,
            FORESEEN: self.foreseen.to_dict(),
            "crps_ratio_centred": self.centred.to_dict(),
            **{name: figure.to_dict() for name, figure in self.figures.items()},
            "pull_forecast": self.pull_forecast.to_dict(),
            "pull_actual": self.pull_actual.to_dict(),
            "ks_chance": Estimate(self.ks_chance).to_dict()["value"],
        }


def line(table: pd.DataFrame, model: str, baselines: Sequence[str]) -> Line:
    """Return the figures of a model over the cutoffs of a table.

    Parameters
    ----------
    table
        Rows of `training.evaluation.summary.by_cutoff`, of the model and of all baselines, `ewma` among them, with the
        column that `foreseen` returns.
    """
    name = table.index.get_level_values("forecaster")
    mine, ewma = (table[name == one].droplevel("forecaster") for one in (model, VOLATILITY_BASELINE))
    times = mine.index.get_level_values("time").to_numpy()
    best = ranking(table, baselines)[0]
    yardstick = table["crps"][name == best].droplevel("forecaster").reindex(mine.index).to_numpy()
    averages = estimates(mine[["coverage_90", "coverage_80", "impossible"]].to_numpy(), times)
    pulls = pull(
        mine["standing"].to_numpy(),
        (mine["last_mean"] / mine["unit"]).to_numpy(),
        (mine["last_actual"] / mine["unit"]).to_numpy(),
        times,
    )
    distance, _ = scores.evenness(mine["last_pit"].to_numpy())
    known = int(mine["last_pit"].count())
    return Line(
        cutoffs=len(mine),
        times=len(np.unique(times)),
        crps={one: float(table["crps"][name == one].mean()) for one in (model, *baselines)},
        best=best,
        foreseen=ratio(mine[FORESEEN].to_numpy(), yardstick, times),
        centred=ratio(mine["crps_centred"].to_numpy(), yardstick, times),
        figures={
            "crps_ratio": ratio(mine["crps"].to_numpy(), yardstick, times),
            "coverage_90": averages[0],
            "coverage_80": averages[1],
            "ks": Estimate(distance),
            "volatility_ratio": volatility_ratio(mine, ewma.reindex(mine.index)),
            "pull": pulls[2],
            "first_gap": Estimate(float(mine["first_gap"].median())),
            "impossible": averages[2],
        },
        pull_forecast=pulls[0],
        pull_actual=pulls[1],
        ks_chance=float(stats.kstwo.ppf(SURE, known)) if known else float("nan"),
    )


def volatility_ratio(mine: pd.DataFrame, ewma: pd.DataFrame) -> Estimate:
    """Return the mean absolute log error of the forecast of realised volatility, as a ratio to EWMA's.

    Cutoffs after which nothing moved are left out: no forecast has an error there that is finite.
    """
    one, other = (_log_error(table["volatility"].to_numpy(), table["realised"].to_numpy()) for table in (mine, ewma))
    return ratio(one, other, mine.index.get_level_values("time").to_numpy())


def _log_error(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    known = (forecast > 0) & (actual > 0)
    return np.abs(np.log(np.where(known, forecast, np.nan) / np.where(known, actual, 1.0)))


def pull(
    standing: np.ndarray, forecast: np.ndarray, actual: np.ndarray, times: np.ndarray
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the slopes of forecast and actual returns on where the last close stands, and the first less the second.

    Least squares over cutoffs (n,). A difference below 0 means that the model expects prices to come back to the mean
    of their window more than they do.
    """
    known = np.isfinite(standing) & np.isfinite(forecast) & np.isfinite(actual)
    x, y, z = standing[known], forecast[known], actual[known]
    if x.size < 3:
        none = Estimate(float("nan"))
        return none, none, none
    columns = np.column_stack([x, x**2, y, x * y, z, x * z])
    one, other, apart = estimates(columns, times[known], _slopes)
    return one, other, apart


def _slopes(m: np.ndarray) -> np.ndarray:
    variance = m[..., 1] - m[..., 0] ** 2
    variance = np.where(variance > 1e-12, variance, np.nan)
    forecast, actual = ((m[..., i + 1] - m[..., 0] * m[..., i]) / variance for i in (2, 4))
    return np.stack([forecast, actual, forecast - actual], axis=-1)
