"""Confidence intervals and tests for averages over forecasts, which depend on one another at near times."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy import stats

from training.evaluation.files import json_object

RESAMPLES = 2000
FEWEST_TIMES = 5  # an interval from fewer times means nothing
AT_ONCE = 2**22  # numbers in memory while resampling
Outcome = Literal["unknown", "too few", "better", "worse", "same"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; without one where there are too few times."""

    value: float
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return a JSON-ready form; None where a number is not finite."""
        return json_object(value=self.value, low=self.low, high=self.high)

    @property
    def outcome(self) -> Outcome:
        """Return what a ratio of errors says about the forecaster in its numerator: below 1 is better."""
        if not math.isfinite(self.value):
            return "unknown"
        if self.low is None or self.high is None:
            return "too few"
        return "better" if self.high < 1 else "worse" if self.low > 1 else "same"


@dataclass(frozen=True)
class Difference:
    """A two-sided Diebold-Mariano test: a negative statistic favours the first; None where no test is possible."""

    statistic: float | None
    p: float | None
    times: int


def by_time(values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums (n, k) of finite values (cutoffs, k) at each time, in order of time, and their counts."""
    _, place = np.unique(times, return_inverse=True)
    known = np.isfinite(values)
    sums, counts = (np.zeros((place.max() + 1, values.shape[1])) for _ in range(2))
    np.add.at(sums, place, np.where(known, values, 0.0))
    np.add.at(counts, place, known)
    return sums, counts


def block_length(times: int, overlap: int = 1) -> int:
    """Return how many times a block has: the cube root of their number, and at least `overlap`."""
    return min(times, max(overlap, round(math.cbrt(times))))


def resample(sums: np.ndarray, counts: np.ndarray, *, overlap: int = 1, seed: int = 0) -> np.ndarray:
    """Return the means (resamples, k) of a circular block bootstrap over times (Politis and Romano, 1992).

    `sums` and `counts` are from `by_time`; `overlap` is the number of consecutive cutoffs with overlapping futures.
    """
    n = len(sums)
    together = max(1, AT_ONCE // n)
    means = []
    for start in range(0, RESAMPLES, together):
        drawn = _draw_counts(n, block_length(n, overlap), min(together, RESAMPLES - start), seed, start)
        with np.errstate(invalid="ignore"):
            means.append((drawn @ sums) / (drawn @ counts))
    return np.concatenate(means)


@lru_cache(maxsize=2)  # many figures have the same times
def _draw_counts(n: int, length: int, resamples: int, seed: int, start: int) -> np.ndarray:
    """Return how often each of `n` times was drawn, (resamples, n)."""
    rng = np.random.default_rng((seed, start))
    first = rng.integers(n, size=(resamples, math.ceil(n / length)))
    places = ((first[:, :, None] + np.arange(length)) % n).reshape(resamples, -1)[:, :n]
    flat = (places + np.arange(resamples)[:, None] * n).ravel()
    return np.bincount(flat, minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def estimates(
    values: np.ndarray,
    times: np.ndarray,
    of: Callable[[np.ndarray], np.ndarray] = lambda means: means,
    *,
    overlap: int = 1,
    seed: int = 0,
) -> list[Estimate]:
    """Return figures computed from means over cutoffs, each with its interval.

    The means are of `values` (cutoffs, k) without NaN; `of` computes figures (..., j) from means (..., k).
    """
    sums, counts = by_time(values, times)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = of(sums.sum(axis=0) / counts.sum(axis=0))
        if len(sums) < FEWEST_TIMES:
            return [Estimate(float(v)) for v in value]
        drawn = of(resample(sums, counts, overlap=overlap, seed=seed))
    return [_estimate(float(v), column) for v, column in zip(value, drawn.T, strict=True)]


def ratio(scores: np.ndarray, reference: np.ndarray, times: np.ndarray, *, overlap: int = 1, seed: int = 0) -> Estimate:
    """Return mean(scores) / mean(reference) over the cutoffs (n,) with both, and the interval of paired resamples."""
    both = np.isfinite(scores) & np.isfinite(reference)
    if not both.any():
        return Estimate(math.nan)
    pairs = np.column_stack([scores, reference])[both]
    return estimates(pairs, times[both], lambda m: m[..., :1] / m[..., 1:], overlap=overlap, seed=seed)[0]


def diebold_mariano(losses: np.ndarray, reference: np.ndarray, times: np.ndarray, *, overlap: int = 1) -> Difference:
    """Test whether two losses at the same cutoffs (n,) differ, with the small-sample correction.

    Diebold and Mariano (1995), doi:10.1080/07350015.1995.10524599, on the mean difference at each time; Harvey,
    Leybourne and Newbold (1997), doi:10.1016/S0169-2070(96)00719-4. A long-run variance that is not positive is
    replaced by the plain one. With `overlap` consecutive overlapping futures, autocovariances up to lag `overlap` - 1
    are used.
    """
    both = np.isfinite(losses) & np.isfinite(reference)
    if not both.any():
        return Difference(None, None, 0)
    sums, counts = by_time((losses - reference)[both, None], times[both])
    d = (sums / counts)[:, 0]
    n = len(d)
    if n < FEWEST_TIMES or overlap >= n:
        return Difference(None, None, n)
    centred = d - d.mean()
    covariances = [float(centred[lag:] @ centred[: n - lag]) / n for lag in range(overlap)]
    variance = covariances[0] + 2 * sum(covariances[1:])
    variance = (variance if variance > 0 else covariances[0]) / n
    if variance <= 0:
        return Difference(None, None, n)
    correction = math.sqrt((n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n)
    statistic = correction * float(d.mean()) / math.sqrt(variance)
    return Difference(statistic, float(2 * stats.t.sf(abs(statistic), n - 1)), n)


def _estimate(value: float, drawn: np.ndarray) -> Estimate:
    known = drawn[np.isfinite(drawn)]
    if not known.size or not math.isfinite(value):
        return Estimate(value)
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
