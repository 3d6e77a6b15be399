"""How good forecasts were, for many at once; a step whose outcome is not known is NaN and counts nowhere.

Shapes: `members` equally likely values (B, M, H), `actual` what came (B, H), `point` one value a step (B, H). Scores of
steps are (B, H), scores of whole forecasts (B,).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scoringrules
from scipy import stats
from scipy.spatial.distance import pdist

LEVELS = (0.5, 0.8, 0.9, 0.95)
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def crps(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the continuous ranked probability score of each step, in the unit of `members`; lower is better.

    Drawn members take the fair estimate, which does not punish few of them; quantiles are no draws and take the exact
    integral (Gneiting and Raftery, 2007, doi:10.1198/016214506000001437; Ferro, 2014, doi:10.1002/qj.2270).
    """
    estimator = "pwm" if drawn and members.shape[1] > 1 else "qd"  # pwm is the fair one without all pairs
    return np.asarray(scoringrules.crps_ensemble(actual, np.moveaxis(members, 1, -1), estimator=estimator))


def crps_centred(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the CRPS that each step would have without its drift: its law moved so that its mean is 0.

    Where this is less than `crps`, an opinion of where things go costs more than it is worth. The mean of draws is not
    quite that of their law, and deviations from it are too small; they are widened by as much, so that this score does
    not depend on the number of draws either.
    """
    centred = members - members.mean(axis=1, keepdims=True)
    count = members.shape[1]
    if not drawn or count == 1:
        return crps(centred, actual, drawn=drawn)
    ranks = 2 * np.arange(1, count + 1) - count - 1
    apart = (np.sort(centred, axis=1) * ranks[:, None]).sum(axis=1) / (count * (count - 1))  # half of E|X - X'|
    off = np.abs(centred * np.sqrt(count / (count - 1)) - actual[:, None]).mean(axis=1)
    return np.asarray(off - apart)


def quantiles(members: np.ndarray, levels: Sequence[float], *, drawn: bool) -> np.ndarray:
    """Return the quantiles (levels, B, H) of the law that the members stand for.

    Drawn members take positions i / (M + 1), so that a band holds its share of a right law's outcomes however few they
    are (interpolating between the outermost of 20 draws, a band of 90 % would hold 81 %); a level that lies beyond them
    takes the outermost. Others take the levels at which they were computed.
    """
    return np.asarray(np.quantile(members, levels, axis=1, method="weibull" if drawn else "hazen"))


def pinball(members: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the pinball loss of each step, averaged over the levels `QUANTILES`."""
    found = quantiles(members, QUANTILES, drawn=drawn)
    losses = [scoringrules.quantile_score(actual, q, level) for q, level in zip(found, QUANTILES, strict=True)]
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
    inside = np.asarray(LEVELS)
    return (
        quantiles(members, tuple((1 - inside) / 2), drawn=drawn),
        quantiles(members, tuple((1 + inside) / 2), drawn=drawn),
    )


def covered(low: np.ndarray, high: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return 1 where what came lies in the band, else 0, as float."""
    inside = (actual >= low) & (actual <= high)
    return np.where(np.isfinite(actual), inside, np.nan)


def pit(members: np.ndarray, actual: np.ndarray, chance: np.ndarray | float = 0.5, *, drawn: bool) -> np.ndarray:
    """Return where in the forecast each outcome fell, 0 to 1: evenly, if the law was right.

    Members leave gaps: an outcome may lie anywhere in the one it fell into, and `chance` (B, H), 0 to 1, says where.
    Random numbers there make the values of a right law exactly even (Czado and others, 2009,
    doi:10.1111/j.1541-0420.2009.01191.x).
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


def evenness(values: np.ndarray) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of PIT values (n,) from the even law, and the p-value of independence.

    Steps of one forecast depend on one another: hand in one step of each, or take the p-value for a lower bound.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    found = stats.kstest(known, "uniform")
    return float(found.statistic), float(found.pvalue)


def histogram(values: np.ndarray, bins: int = 10) -> np.ndarray:
    """Return the share of PIT values in each of `bins` equal parts of 0 to 1; 1 / bins each if the law was right."""
    counts, _ = np.histogram(values[np.isfinite(values)], bins=bins, range=(0.0, 1.0))
    return np.asarray(counts / max(1, counts.sum()))


def absolute_percentage(point: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return errors as a share of what came (0.01 is one percent)."""
    return np.asarray(np.abs(point - actual) / np.abs(actual))


def scaled(point: np.ndarray, actual: np.ndarray, history: np.ndarray) -> np.ndarray:
    """Return errors in units of the history's mean absolute change (B, lookback): what MASE averages.

    Hyndman and Koehler (2006), doi:10.1016/j.ijforecast.2006.03.001.
    """
    unit = np.abs(np.diff(history, axis=1)).mean(axis=1, keepdims=True)
    return np.asarray(np.abs(point - actual) / np.where(unit > 0, unit, np.nan))


def hit(point: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return 1 where a return's sign was right, 0 where wrong, NaN where either is 0."""
    moved = np.isfinite(actual) & (actual != 0) & (point != 0)
    return np.where(moved, np.sign(point) == np.sign(actual), np.nan)


def hit_rate(hits: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Return the share of ones among `hits` (n,) and its exact binomial interval (Clopper and Pearson, 1934)."""
    known = hits[np.isfinite(hits)]
    if not known.size:
        return float("nan"), float("nan"), float("nan")
    found = stats.binomtest(int(known.sum()), known.size)
    interval = found.proportion_ci(level, method="exact")
    return float(known.mean()), float(interval.low), float(interval.high)


def brier(chance: np.ndarray, rose: np.ndarray) -> np.ndarray:
    """Return the squared error of the chance of a rise; `rose` is 1, 0 or NaN."""
    return np.asarray((chance - rose) ** 2)


def reliability(chance: np.ndarray, rose: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Return (mean chance, share that rose, number) of each tenth of the chances that has any."""
    known = np.isfinite(chance) & np.isfinite(rose)
    chance, rose = chance[known], rose[known]
    place = np.minimum((chance * bins).astype(int), bins - 1)
    return [
        (float(chance[place == i].mean()), float(rose[place == i].mean()), int((place == i).sum()))
        for i in range(bins)
        if (place == i).any()
    ]


def correlation(forecast: np.ndarray, actual: np.ndarray, *, ranks: bool) -> float:
    """Return Pearson's correlation, or Spearman's by `ranks`; NaN for fewer than 3 or where nothing differs."""
    known = np.isfinite(forecast) & np.isfinite(actual)
    one, other = forecast[known], actual[known]
    if one.size < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    if ranks:
        one, other = stats.rankdata(one), stats.rankdata(other)
    return float(np.corrcoef(one, other)[0, 1])


def energy(paths: np.ndarray, actual: np.ndarray, *, drawn: bool) -> np.ndarray:
    """Return the energy score of whole paths (B,), over the root of the horizon; NaN where a step is not known.

    The mean distance to what came, less half of that between two different paths if they were drawn, else between any
    two. scoringrules computes the same, many times slower.
    """
    count = paths.shape[1]
    away = np.sqrt(((paths - actual[:, None]) ** 2).sum(axis=2)).mean(axis=1)
    pairs = np.array([pdist(one).sum() for one in paths])
    apart = pairs / (count * (count - 1) if drawn and count > 1 else count**2)
    return np.asarray((away - apart) / np.sqrt(paths.shape[2]))


def walked(members: np.ndarray) -> np.ndarray:
    """Return quantile members (B, M, H) reordered at each step by the ranks of one fixed random walk.

    Each step keeps its members, and rows become paths that depend on one another as a random walk's steps do: the
    Schaake shuffle (Clark and others, 2004, doi:10.1175/1525-7541(2004)005<0243:TSSAMF>2.0.CO;2).
    """
    _, count, horizon = members.shape
    template = np.random.default_rng(0).normal(size=(count, horizon)).cumsum(axis=1)
    ranks = template.argsort(axis=0).argsort(axis=0)
    return np.asarray(np.take_along_axis(np.sort(members, axis=1), ranks[None], axis=1))


def volatility(returns: np.ndarray) -> np.ndarray:
    """Return the realised volatility (...,) of log returns (..., H): the root of their summed squares."""
    return np.asarray(np.sqrt((returns**2).sum(axis=-1)))


def r_squared(forecast: np.ndarray, actual: np.ndarray) -> float:
    """Return the share of the variance of `actual` (n,) that `forecast` explains, below 0 where the mean does better.

    NaN for fewer than 3.
    """
    known = np.isfinite(forecast) & np.isfinite(actual)
    forecast, actual = forecast[known], actual[known]
    total = float(((actual - actual.mean()) ** 2).sum()) if actual.size > 2 else 0.0
    return float(1 - ((actual - forecast) ** 2).sum() / total) if total > 0 else float("nan")
