"""The figures of the judge's table, computed from the scores of any forecaster at its cutoffs, and their targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from training.evaluation import scores
from training.evaluation.files import to_json
from training.evaluation.inference import Estimate, estimates, ratio
from training.evaluation.summary import FORESEEN, ranking, rows_of, times_of

VOLATILITY_BASELINE = "ewma"
CONFIDENCE = 0.95
Mark = Literal["reached", "close", "missed", "unknown"]


@dataclass(frozen=True)
class Line:
    """Figures over some cutoffs."""

    cutoffs: int
    times: int  # different times of the cutoffs
    crps: Mapping[str, float]  # mean, in units of the history's volatility times the root of the horizon
    best_baseline: str  # the baseline of lowest CRPS
    volatility_foreseen: Estimate  # ratio of the CRPS of `summary.foreseen` to the best baseline's
    crps_ratio_centred: Estimate  # the same of the model without its drift, see `scores.crps_centred`
    # crps_ratio (to the best baseline's), coverage_90, coverage_80, ks (of the PIT at the last step),
    # volatility_ratio (see `volatility_ratio`), pull (see `pull`), first_gap (median), impossible (share of candles).
    figures: Mapping[str, Estimate]
    pull_forecast: Estimate  # this and the next: the slopes whose difference is the pull
    pull_actual: Estimate
    ks_chance: float  # 95 % quantile of the KS distance of as many independent uniform values

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form, `figures` among the others."""
        values = to_json(self)
        return {**values.pop("figures"), **values}


def line(table: pd.DataFrame, model: str, baselines: Sequence[str]) -> Line:
    """Return the figures of a model over the cutoffs of a table.

    The table has the rows of `summary.by_cutoff` of the model and all baselines, `ewma` among them, with the column of
    `summary.foreseen`.
    """
    mine, ewma = (rows_of(table, name).droplevel("forecaster") for name in (model, VOLATILITY_BASELINE))
    times = times_of(mine)
    best = ranking(table, baselines)[0]
    best_crps = rows_of(table, best)["crps"].droplevel("forecaster").reindex(mine.index).to_numpy()
    coverage_90, coverage_80, impossible = estimates(
        mine[["coverage_90", "coverage_80", "impossible"]].to_numpy(), times
    )
    mean, actual = ((mine[name] / mine["unit"]).to_numpy() for name in ("last_mean", "last_actual"))
    pull_forecast, pull_actual, difference = pull(mine["standing"].to_numpy(), mean, actual, times)
    known = int(mine["last_pit"].count())
    return Line(
        cutoffs=len(mine),
        times=len(np.unique(times)),
        crps={name: float(rows_of(table, name)["crps"].mean()) for name in (model, *baselines)},
        best_baseline=best,
        volatility_foreseen=ratio(mine[FORESEEN].to_numpy(), best_crps, times),
        crps_ratio_centred=ratio(mine["crps_centred"].to_numpy(), best_crps, times),
        figures={
            "crps_ratio": ratio(mine["crps"].to_numpy(), best_crps, times),
            "coverage_90": coverage_90,
            "coverage_80": coverage_80,
            "ks": Estimate(scores.uniformity(mine["last_pit"].to_numpy())[0]),
            "volatility_ratio": volatility_ratio(mine, ewma.reindex(mine.index)),
            "pull": difference,
            "first_gap": Estimate(float(mine["first_gap"].median())),
            "impossible": impossible,
        },
        pull_forecast=pull_forecast,
        pull_actual=pull_actual,
        ks_chance=float(stats.kstwo.ppf(CONFIDENCE, known)) if known else float("nan"),
    )


def volatility_ratio(mine: pd.DataFrame, ewma: pd.DataFrame) -> Estimate:
    """Return the mean absolute log error of the forecast of realized volatility, as a ratio to EWMA's.

    Cutoffs without any move after them are left out: their log error is not finite.
    """
    errors = [_log_error(table["volatility"].to_numpy(), table["realised"].to_numpy()) for table in (mine, ewma)]
    return ratio(errors[0], errors[1], times_of(mine))


def _log_error(forecast: np.ndarray, actual: np.ndarray) -> np.ndarray:
    known = (forecast > 0) & (actual > 0)
    return np.abs(np.log(np.where(known, forecast, np.nan) / np.where(known, actual, 1.0)))


def pull(
    standing: np.ndarray, forecast: np.ndarray, actual: np.ndarray, times: np.ndarray
) -> tuple[Estimate, Estimate, Estimate]:
    """Return the slopes of forecast and of actual returns on the z-score of the last close, and their difference.

    Least squares over cutoffs (n,). A negative difference means that the model expects more mean reversion than there
    is.
    """
    known = np.isfinite(standing) & np.isfinite(forecast) & np.isfinite(actual)
    x, y, z = standing[known], forecast[known], actual[known]
    if x.size < 3:
        none = Estimate(float("nan"))
        return none, none, none
    columns = np.column_stack([x, x**2, y, x * y, z, x * z])
    of_forecast, of_actual, difference = estimates(columns, times[known], _slopes)
    return of_forecast, of_actual, difference


def _slopes(m: np.ndarray) -> np.ndarray:
    variance = m[..., 1] - m[..., 0] ** 2
    variance = np.where(variance > 1e-12, variance, np.nan)
    forecast, actual = ((m[..., i + 1] - m[..., 0] * m[..., i]) / variance for i in (2, 4))
    return np.stack([forecast, actual, forecast - actual], axis=-1)


@dataclass(frozen=True)
class Target:
    """The range of a figure; both ends are reached, the upper one not if `below`.

    `of_part` is the upper end for a single market, where it differs.
    """

    label: str
    head: str  # of a column
    text: str
    low: float = -math.inf
    high: float = math.inf
    of_part: float | None = None
    below: bool = False

    def mark(self, figure: Estimate, *, part: bool = False, chance: float | None = None) -> Mark:
        """Return whether a figure reaches the target.

        close: its 95 % interval overlaps the range, or it is not above `chance`, the value that a perfect forecast may
        show by chance. unknown: it is not finite. With `part`, the figure is of a single market.
        """
        high = self.of_part if part and self.of_part is not None else self.high
        if not math.isfinite(figure.value):
            return "unknown"
        if self.low <= figure.value <= high and not (self.below and figure.value == high):
            return "reached"
        near = figure.low is not None and figure.high is not None and figure.low <= high and figure.high >= self.low
        return "close" if near or (chance is not None and figure.value <= chance) else "missed"


TARGETS: dict[str, Target] = {
    "crps_ratio": Target("CRPS ÷ best baseline's", "CRPS", "≤ 0.98 (1.02)", high=0.98, of_part=1.02),
    "coverage_90": Target("coverage, 90 % band", "90 %", "0.88–0.92", low=0.88, high=0.92),
    "coverage_80": Target("coverage, 80 % band", "80 %", "0.78–0.82", low=0.78, high=0.82),
    "ks": Target("KS distance, last PIT", "KS", "≤ 0.05", high=0.05),
    "volatility_ratio": Target("volatility ÷ EWMA's", "vol.", "≤ 0.90", high=0.90),
    "pull": Target("pull to the mean", "pull", "within ± 0.05", low=-0.05, high=0.05),
    "first_gap": Target("first-candle gap", "gap", "≤ 1", high=1.0),
    "impossible": Target("impossible candles", "impossible", "< 0.001", high=0.001, below=True),
}
