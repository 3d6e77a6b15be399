"""The scores of one forecast, averaged over its steps; those of each step of many forecasts are in `scores`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation import scores


@dataclass(frozen=True)
class ForecastScores:
    """Scores over the steps whose actual is known.

    Attributes
    ----------
    mae, mape
        Of the median; in price units, and as a share of the actual (0.01 is one percent).
    direction
        Share of the steps where the median is on the right side of the last known close, of those where both moved;
        None where there are none.
    coverage
        By level, the share of the steps inside the central band.
    crps
        Continuous ranked probability score, in price units.
    """

    mae: float
    mape: float
    direction: float | None
    coverage: dict[float, float]
    crps: float


def score_forecast(
    members: np.ndarray,
    actual: np.ndarray,
    last: float,
    levels: Sequence[float],
    *,
    drawn: bool = True,
    driftless: bool = False,
) -> ForecastScores:
    """Return the scores of one forecast; at least one actual must be known.

    Parameters
    ----------
    members
        Equally likely closes `(members, horizon)`.
    actual
        Actual closes `(horizon,)`, NaN where unknown.
    last
        The last known close.
    levels
        Of the bands.
    drawn
        Whether members are random draws, see `scores`.
    driftless
        Whether draws were shifted to a common median of 0: they lie nearer to it than others, and their score is
        `crps_centred`, which corrects for that.
    """
    known = np.isfinite(actual)
    members, actual = members[:, known], actual[known]
    median = np.exp(np.median(np.log(members), axis=0))  # of log returns, so that a zero-drift median is exactly 0
    # A median within rounding of the last close has not moved.
    moves = np.where(np.isclose(median, last, rtol=1e-12, atol=0), 0.0, median - last)
    hits = scores.hit(moves, actual - last)
    bands = {level: np.quantile(members, [(1 - level) / 2, (1 + level) / 2], axis=0) for level in levels}
    crps = scores.crps_centred if driftless else scores.crps
    return ForecastScores(
        mae=float(np.abs(median - actual).mean()),
        mape=float(scores.absolute_percentage(median, actual).mean()),
        direction=float(np.nanmean(hits)) if np.isfinite(hits).any() else None,
        coverage={level: float(scores.covered(low, high, actual).mean()) for level, (low, high) in bands.items()},
        crps=float(crps((members - last)[None], (actual - last)[None], drawn=drawn).mean()),
    )
