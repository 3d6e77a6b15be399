"""Scores of one forecast.

Steps whose actual is NaN are left out; NaN where there is no step left. `members` are equally likely values (members,
horizon), `point` one value a step (horizon,), `actual` (horizon,).
"""

from __future__ import annotations

import numpy as np

from training.evaluation import scores as of_many


def crps(members: np.ndarray, actual: np.ndarray, *, drawn: bool = True, centred: bool = False) -> float:
    """Return the continuous ranked probability score in units of price, averaged over steps.

    `drawn` as in `training.evaluation.scores`. Draws that were shifted to a common median of 0 lie nearer to it than
    others; with `centred` their score is `crps_centred`, which corrects for that.
    """
    estimate = of_many.crps_centred if centred else of_many.crps
    known = np.isfinite(actual)
    if not known.any():
        return float("nan")
    return _mean(estimate(members[None, :, known], actual[None, known], drawn=drawn))


def coverage(members: np.ndarray, actual: np.ndarray, level: float) -> float:
    """Return the share of steps inside the central band of nominal coverage `level`."""
    known = np.isfinite(actual)
    low, high = np.quantile(members[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _mean(of_many.covered(low, high, actual[known]))


def mae(point: np.ndarray, actual: np.ndarray) -> float:
    """Return the mean absolute error, in units of price."""
    return _mean(np.abs(point - actual)[np.isfinite(actual)])


def mape(point: np.ndarray, actual: np.ndarray) -> float:
    """Return the mean absolute error as a share of the actual value (0.01 is one percent)."""
    return _mean(of_many.absolute_percentage(point, actual)[np.isfinite(actual)])


def direction(point: np.ndarray, actual: np.ndarray, last: float) -> float:
    """Return the share of steps on the right side of the `last` known close, of those where both moved.

    A point forecast within rounding of the last close has not moved.
    """
    moved = np.isfinite(actual) & (actual != last) & ~np.isclose(point, last, rtol=1e-12, atol=0)
    return _mean(((point > last) == (actual > last))[moved])


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if values.size else float("nan")
