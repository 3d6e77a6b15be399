"""Scores of many forecasts at once; a step without an actual is NaN and is left out everywhere.

Shapes: `members` equally likely values (B, M, H), `actual` (B, H), `point` one value a step (B, H). Scores of steps are
(B, H), scores of whole forecasts (B,). `drawn` says whether members are random draws; else they are quantiles of the
forecast distribution at even levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scoringrules
from scipy import stats
from scipy.spatial.distance import pdist

LEVELS = (0.5, 0.8, 0.9, 0.95)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def crps(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the continuous ranked probability score of each step, in the unit of `members`; lower is better.

    Draws use the fair estimate, which does not penalise a small number of them; quantiles use the exact integral
    (Gneiting and Raftery, 2007, doi:10.1198/016214506000001437; Ferro, 2014, doi:10.1002/qj.2270).
    """
    estimator = "pwm" if drawn and members.shape[1] > 1 else "qd"  # pwm is the fair one without all pairs
    return np.asarray(scoringrules.crps_ensemble(actual, np.moveaxis(members, 1, -1), estimator=estimator))


def crps_centred(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the CRPS of each step with its distribution shifted to mean 0, that is, without drift.

    Where this is below `crps`, the forecast drift costs more than it gains. The mean of draws differs a little from
    that of their distribution, so deviations from it are too small; they are widened accordingly, so that the score
    does not depend on the number of draws.
    """
    centred = members - members.mean(axis=1, keepdims=True)
    count = members.shape[1]
    if not drawn or count == 1:
        return crps(centred, actual, drawn=drawn)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    apart = (np.sort(centred, axis=1) * ranks[:, None]).sum(axis=1) / (count * (count - 1))  # half of E|X - X'|
    error = np.abs(centred * np.sqrt(count / (count - 1)) - actual[:, None]).mean(axis=1)
    return np.asarray(error - apart)


def quantiles(members: np.ndarray, levels: Sequence[float], *, drawn: bool) -> np.ndarray:
    """Return the quantiles (levels, B, H) of the forecast distribution.

    Draws take positions i / (M + 1), so that a band covers its nominal share however few they are (interpolated between
    the outermost of 20 draws, a 90 % band would cover 81 %); a level beyond them takes the outermost draw. Quantile
    members take the levels at which they were computed.
    """
    return np.asarray(np.quantile(members, levels, axis=1, method="weibull" if drawn else "hazen"))


def pinball(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the pinball loss of each step, averaged over the levels `QUANTILES`."""
    forecast = quantiles(members, QUANTILES, drawn=drawn)
    losses = [scoringrules.quantile_score(actual, q, level) for q, level in zip(forecast, QUANTILES, strict=True)]
    return np.asarray(np.mean(losses, axis=0))


def interval_score(low: np.ndarray, median: np.ndarray, high: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the weighted interval score of each step, of the median (B, H) and the `bands` (levels, B, H).

    Bracher and others (2021), doi:10.1371/journal.pcbi.1008618.
    """
    # Not scoringrules': without numba its version 0.10.0 takes the median itself for the median's error.
    alphas = 1 - np.asarray(LEVELS)[:, None, None]
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    weighted = (alphas / 2 * (high - low) + missed).sum(axis=0)
    return np.asarray((np.abs(actual - median) / 2 + weighted) / (len(LEVELS) + 0.5))


def bands(members: np.ndarray, *, drawn: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper ends (levels, B, H) of the central bands `LEVELS`."""
    levels = np.asarray(LEVELS)
    low, high = (quantiles(members, tuple(ends), drawn=drawn) for ends in ((1 - levels) / 2, (1 + levels) / 2))
    return low, high


def covered(low: np.ndarray, high: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return 1 where the actual lies in the band, else 0, as float."""
    return np.where(np.isfinite(actual), (actual >= low) & (actual <= high), np.nan)


def pit(members: np.ndarray, actual: np.ndarray, chance: np.ndarray | float = 0.5, *, drawn: bool) -> np.ndarray:
    """Return the probability integral transform of each actual, uniform on 0 to 1 for a perfect forecast.

    The actual lies in a gap between two members; `chance` (B, H), 0 to 1, says where in it. With random numbers the
    values of a perfect forecast are exactly uniform (Czado and others, 2009, doi:10.1111/j.1541-0420.2009.01191.x).
    """
    count = members.shape[1]
    with np.errstate(invalid="ignore"):
        below = (members < actual[:, None]).sum(axis=1)
        upto = (members <= actual[:, None]).sum(axis=1)
    if drawn:
        low, high = below / (count + 1), (upto + 1) / (count + 1)
    else:
        low, high = np.maximum(below - 0.5, 0) / count, np.minimum(upto + 0.5, count) / count
    return np.where(np.isfinite(actual), low + chance * (high - low), np.nan)


def uniformity(values: np.ndarray) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of PIT values (n,) from the uniform distribution, and its p-value.

    The p-value assumes independence. Steps of one forecast are dependent: pass one step of each.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return math.nan, math.nan
    test = stats.kstest(known, "uniform")
    return float(test.statistic), float(test.pvalue)


def histogram(values: np.ndarray, bins: int = 10) -> np.ndarray:
    """Return the share of PIT values in each of `bins` equal parts of 0 to 1; 1 / bins each for a perfect forecast."""
    counts, _ = np.histogram(values[np.isfinite(values)], bins=bins, range=(0.0, 1.0))
    return np.asarray(counts / max(1, counts.sum()))


def absolute_percentage(point: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return absolute errors as a share of the actual (0.01 is one percent)."""
    return np.asarray(np.abs(point - actual) / np.abs(actual))


def scaled(point: np.ndarray, actual: np.ndarray, history: np.ndarray) -> np.ndarray:
    """Return absolute errors in units of the mean absolute change of the history (B, lookback), as MASE averages them.

    Hyndman and Koehler (2006), doi:10.1016/j.ijforecast.2006.03.001.
    """
    unit = np.abs(np.diff(history, axis=1)).mean(axis=1, keepdims=True)
    return np.asarray(np.abs(point - actual) / np.where(unit > 0, unit, np.nan))


def hit(point: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return 1 where the sign of a return is right, 0 where it is wrong, NaN where either is 0."""
    moved = np.isfinite(actual) & (actual != 0) & (point != 0)
    return np.where(moved, np.sign(point) == np.sign(actual), np.nan)


def hit_rate(hits: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the share of ones among `hits` (n,) and its exact binomial interval (Clopper and Pearson, 1934)."""
    known = hits[np.isfinite(hits)]
    if not known.size:
        return math.nan, math.nan, math.nan
    interval = stats.binomtest(int(known.sum()), known.size).proportion_ci(level, method="exact")
    return float(known.mean()), float(interval.low), float(interval.high)


def brier(chance: np.ndarray, rose: np.ndarray) -> np.ndarray:
    """Return the squared error of P(up); `rose` is 1, 0 or NaN."""
    return np.asarray((chance - rose) ** 2)


def reliability(chance: np.ndarray, rose: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Return (mean P(up), share that rose, number) of each equal bin of P(up) that is not empty."""
    known = np.isfinite(chance) & np.isfinite(rose)
    chance, rose = chance[known], rose[known]
    place = np.minimum((chance * bins).astype(int), bins - 1)
    members = [place == i for i in range(bins) if (place == i).any()]
    return [(float(chance[inside].mean()), float(rose[inside].mean()), int(inside.sum())) for inside in members]


def correlations(forecast: np.ndarray, actual: np.ndarray, *, ranks: bool) -> np.ndarray:
    """Return Pearson's correlation of each row of two arrays (B, H), or Spearman's with `ranks`.

    NaN for fewer than 3 columns and where a row is constant.
    """
    constant = (np.ptp(forecast, axis=1) == 0) | (np.ptp(actual, axis=1) == 0)
    if forecast.shape[1] < 3:
        return np.full(len(forecast), np.nan)
    if ranks:
        forecast, actual = (stats.rankdata(values, axis=1) for values in (forecast, actual))
    forecast, actual = (values - values.mean(axis=1, keepdims=True) for values in (forecast, actual))
    size = np.sqrt((forecast**2).sum(axis=1) * (actual**2).sum(axis=1))
    return np.asarray((forecast * actual).sum(axis=1) / np.where(constant, np.nan, size))


def energy(paths: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the energy score of whole paths (B,), divided by the root of the horizon; NaN where a step is not known.

    The mean distance to the actual path, less half of that between two different paths if they are draws, else between
    any two. scoringrules computes the same, many times slower.
    """
    count = paths.shape[1]
    error = np.sqrt(((paths - actual[:, None]) ** 2).sum(axis=2)).mean(axis=1)
    pairs = np.array([pdist(path).sum() for path in paths])
    apart = pairs / (count * (count - 1) if drawn and count > 1 else count**2)
    return np.asarray((error - apart) / np.sqrt(paths.shape[2]))


def shuffle_to_paths(members: np.ndarray) -> np.ndarray:
    """Return quantile members (B, M, H) reordered at each step by the ranks of one fixed random walk.

    Each step keeps its members, and rows become paths whose steps depend on one another as those of a random walk: the
    Schaake shuffle (Clark and others, 2004, doi:10.1175/1525-7541(2004)005<0243:TSSAMF>2.0.CO;2).
    """
    _, count, horizon = members.shape
    template = np.random.default_rng(0).normal(size=(count, horizon)).cumsum(axis=1)
    ranks = template.argsort(axis=0).argsort(axis=0)
    return np.asarray(np.take_along_axis(np.sort(members, axis=1), ranks[None], axis=1))


def realized_volatility(returns: np.ndarray) -> np.ndarray:
    """Return the realized volatility (...,) of log returns (..., H): the root of their summed squares."""
    return np.asarray(np.sqrt((returns**2).sum(axis=-1)))
