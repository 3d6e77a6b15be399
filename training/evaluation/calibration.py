"""Recalibration of bands from earlier completed forecasts.

Each method gets an `AsOf` of the forecasts that were completed at the cutoff it corrects. Every symbol, interval,
forecaster and step is calibrated separately, from its last `WINDOW` forecasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from training.evaluation import scores
from training.evaluation.asof import AsOf
from training.evaluation.records import LEVEL_NAMES

WINDOW = 500  # forecasts used
CORRECTED = ("wis", *(f"{name}_{level}" for name in ("low", "high", "width", "covered") for level in LEVEL_NAMES))
FEWEST = 20  # completed forecasts; with fewer nothing is changed: the outermost of them bounds 95 %

# Channels of a past forecast: bands (levels), mean, standard deviation, actual, unit, and its recalibrated bands.
LOW, HIGH, MEAN, DEVIATION, ACTUAL, UNIT, ISSUED_LOW, ISSUED_HIGH = range(8)


class Method(Protocol):
    """A recalibration method."""

    @property
    def name(self) -> str:
        """Return the name shown in tables."""

    def correct(self, past: AsOf, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the corrected low and high ends (steps, levels).

        `past` are completed forecasts (n, channels, steps, levels); `now` is the forecast to correct (channels, steps,
        levels), with NaN as actual and recalibrated bands.
        """


@dataclass(frozen=True)
class Split:
    """Split conformal: widens bands by the margin that would have given earlier ones their nominal coverage.

    Conformalised quantile regression (Romano, Patterson and Candès, 2019, arXiv:1905.03222); the margin is in units of
    the history's volatility.
    """

    name: str = "split"
    rate: float = 0.0

    def correct(self, past: AsOf, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends moved by one margin a step and level."""
        known = past.last(WINDOW)
        if len(known) < FEWEST:
            return now[LOW], now[HIGH]
        outside = np.maximum(known[:, LOW] - known[:, ACTUAL], known[:, ACTUAL] - known[:, HIGH])
        margin = _upper(outside / known[:, UNIT], self._level(known)) * now[UNIT]
        middle = (now[LOW] + now[HIGH]) / 2  # a band cannot shrink below a point
        return np.minimum(now[LOW] - margin, middle), np.maximum(now[HIGH] + margin, middle)

    def _level(self, known: np.ndarray) -> np.ndarray:
        """Return the coverage (steps, levels) that the corrected bands aim at."""
        nominal = np.broadcast_to(scores.LEVELS, known.shape[2:])
        missed = (known[:, ACTUAL] < known[:, ISSUED_LOW]) | (known[:, ACTUAL] > known[:, ISSUED_HIGH])
        return np.asarray(np.clip(nominal + self.rate * (missed - (1 - nominal)).sum(axis=0), 0.0, 1.0))


@dataclass(frozen=True)
class Adaptive(Split):
    """Adaptive conformal: aims higher after misses, lower after hits (Gibbs and Candès, 2021, arXiv:2106.00170)."""

    name: str = "adaptive"
    rate: float = 0.02


@dataclass(frozen=True)
class Variance:
    """Multiplies the spread around the mean by one factor: the root mean square of earlier standardized errors."""

    name: str = "variance"

    def correct(self, past: AsOf, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both ends with their distance from the mean multiplied."""
        factor = self.factor(past)
        return now[MEAN] + factor * (now[LOW] - now[MEAN]), now[MEAN] + factor * (now[HIGH] - now[MEAN])

    def factor(self, past: AsOf) -> float:
        """Return the factor of all steps of a symbol and interval; 1 with fewer than `FEWEST` forecasts."""
        known = past.last(WINDOW)[..., 0]  # the same at every level
        spread = known[:, DEVIATION] > 0
        if len(known) < FEWEST or not spread.any():
            return 1.0
        errors = (known[:, ACTUAL] - known[:, MEAN])[spread] / known[:, DEVIATION][spread]
        return float(np.sqrt((errors**2).mean()))


METHODS: tuple[Method, ...] = (Split(), Adaptive(), Variance())


def recalibrated(table: pd.DataFrame, method: Method) -> pd.DataFrame:
    """Return `records`, in the same order, with corrected bands and their covered, width and wis.

    The CRPS is unchanged: it is of members, not of bands.
    """
    after = {name: table[name].to_numpy(copy=True) for name in CORRECTED}
    for rows in _series(table):
        part = table.iloc[rows]
        actual, median, unit = (part[name].to_numpy() for name in ("actual", "median", "unit"))
        low, high = (ends.reshape(-1, len(LEVEL_NAMES)).T for ends in _walk(part, method))  # (levels, rows)
        wis = scores.interval_score(low[:, None], median[None], high[:, None], actual[None])[0]
        after["wis"][rows] = wis / unit
        for level, bottom, top in zip(LEVEL_NAMES, low, high, strict=True):
            after[f"low_{level}"][rows], after[f"high_{level}"][rows] = bottom, top
            after[f"width_{level}"][rows] = (top - bottom) / unit
            after[f"covered_{level}"][rows] = scores.covered(bottom, top, actual)
    return table.assign(**after)


def before_and_after(table: pd.DataFrame, *methods: Method) -> pd.DataFrame:
    """Return coverage, width and weighted interval score by forecaster, uncorrected (`none`) and with each method.

    All are of the same forecasts: those with enough completed forecasts before them.
    """
    ready = np.concatenate([rows[_ready(table.iloc[rows])] for rows in _series(table)])
    columns = ["wis", *(f"{kind}_{level}" for kind in ("covered", "width") for level in LEVEL_NAMES)]
    parts = {"none": table, **{method.name: recalibrated(table, method) for method in methods}}
    means = {name: part.iloc[ready].groupby("forecaster", sort=False)[columns].mean() for name, part in parts.items()}
    return pd.concat(means, names=["method"]).swaplevel().sort_index(level=0, sort_remaining=False)


def known_forecasts(table: pd.DataFrame, cutoff: int) -> AsOf:
    """Return the forecasts of one series and forecaster that were completed at `cutoff`, nanoseconds since 1970.

    `Variance().factor` of it is the factor for the spread of a new forecast.
    """
    rows = next(_series(table))
    ordered = table.iloc[rows]
    return AsOf(_known_at(ordered), _channels(ordered), cutoff, str(ordered["symbol"].iloc[0]))


def _series(table: pd.DataFrame) -> Iterator[np.ndarray]:
    """Yield the rows of each series and forecaster, in order of cutoff and step."""
    for rows in table.groupby(["group", "symbol", "forecaster"], sort=False).indices.values():
        part = table.iloc[rows]
        yield np.asarray(rows)[np.lexsort((part["step"].to_numpy(), part["time"].to_numpy()))]


def _walk(ordered: pd.DataFrame, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """Return the corrected ends (cutoffs, steps, levels) of one series, each from the `AsOf` of its cutoff."""
    channels, known_at = _channels(ordered), _known_at(ordered)
    times = ordered["time"].to_numpy()[:: channels.shape[2]]
    name = str(ordered["symbol"].iloc[0])
    for row, cutoff in enumerate(times.tolist()):
        now = channels[row].copy()
        now[[ACTUAL, ISSUED_LOW, ISSUED_HIGH]] = np.nan
        low, high = method.correct(AsOf(known_at, channels, cutoff, name), now)
        channels[row, ISSUED_LOW], channels[row, ISSUED_HIGH] = low, high
    return channels[:, ISSUED_LOW], channels[:, ISSUED_HIGH]


def _channels(ordered: pd.DataFrame) -> np.ndarray:
    steps, levels = int(ordered["step"].max()), len(LEVEL_NAMES)
    channels = np.full((len(ordered) // steps, 8, steps, levels), np.nan)
    for place, level in enumerate(LEVEL_NAMES):
        channels[:, LOW, :, place] = ordered[f"low_{level}"].to_numpy().reshape(-1, steps)
        channels[:, HIGH, :, place] = ordered[f"high_{level}"].to_numpy().reshape(-1, steps)
    for channel, column in ((MEAN, ordered["mean"]), (ACTUAL, ordered["actual"]), (UNIT, ordered["unit"])):
        channels[:, channel] = column.to_numpy().reshape(-1, steps, 1)
    channels[:, DEVIATION] = (ordered["sharpness"] * ordered["unit"]).to_numpy().reshape(-1, steps, 1)
    return channels


def _known_at(ordered: pd.DataFrame) -> np.ndarray:
    return ordered["known_at"].to_numpy()[:: int(ordered["step"].max())]


def _ready(ordered: pd.DataFrame) -> np.ndarray:
    """Return which rows have `FEWEST` completed forecasts before them."""
    steps = int(ordered["step"].max())
    times = ordered["time"].to_numpy()[::steps]
    return np.repeat(np.searchsorted(_known_at(ordered), times, side="right") >= FEWEST, steps)


def _upper(values: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the ceil((n + 1) share)-th smallest of `values` (n, ...), at most the largest.

    A band with this margin covers at least `share` of actuals that are exchangeable with the earlier ones.
    """
    rank = np.clip(np.ceil((len(values) + 1) * share - 1e-9).astype(int), 1, len(values)) - 1
    return np.asarray(np.take_along_axis(np.sort(values, axis=0), rank[None], axis=0)[0])
