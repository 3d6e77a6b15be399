"""How good one forecast was, as the dashboard shows it.

Steps whose actual value is NaN are left out; no step left gives NaN.

`members` are equally likely values (members, horizon), `point` one value a step (horizon,), `actual` what came
(horizon,).
"""

from __future__ import annotations

import numpy as np

from training.evaluation import scores as of_many


def crps(members: np.ndarray, actual: np.ndarray, *, drawn: bool = True, centred: bool = False) -> float:
    """Return the continuous ranked probability score in units of price, averaged over steps.

    Parameters
    ----------
    drawn
        Whether members are draws, or quantiles of a law at even levels; see `training.evaluation.scores.crps`.
    centred
        Whether draws were moved to lie about 0. They lie nearer to it than those of a law about 0 would, which flatters
        them; `training.evaluation.scores.crps_centred` does not.
    """
    estimate = of_many.crps_centred if centred else of_many.crps
    known = np.isfinite(actual)
    if not known.any():
        return float("nan")
    return float(np.mean(estimate(members[None, :, known], actual[None, known], drawn=drawn)))


def coverage(members: np.ndarray, actual: np.ndarray, level: float) -> float:
    """Return the share of steps that fell inside the central band which should hold `level` of them."""
    known = np.isfinite(actual)
    low, high = np.quantile(members[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _mean((actual[known] >= low) & (actual[known] <= high))


def mae(point: np.ndarray, actual: np.ndarray) -> float:
    """Return the mean absolute error, in units of price."""
    return _mean(np.abs(point - actual)[np.isfinite(actual)])


def mape(point: np.ndarray, actual: np.ndarray) -> float:
    """Return the mean absolute error as a share of the actual value (0.01 is one percent)."""
    return _mean((np.abs(point - actual) / np.abs(actual))[np.isfinite(actual)])


def direction(point: np.ndarray, actual: np.ndarray, last: float) -> float:
    """Return the share of steps on the right side of the `last` known close, of those where both have moved.

    What rounding leaves of a point forecast that did not move is no opinion.
    """
    moved = np.isfinite(actual) & (actual != last) & ~np.isclose(point, last, rtol=1e-12, atol=0)
    return _mean(((point > last) == (actual > last))[moved])


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if values.size else float("nan")
