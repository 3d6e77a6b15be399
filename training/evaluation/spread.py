"""By how much the bands of a model should be wider or narrower in each market and interval, learned to be shipped.

One factor multiplies the deviations of log paths from their median; the best is the one of least CRPS. What a single
series teaches about itself is in `calibration`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from engine.candles import CLOSE
from engine.usage import SpreadFactor
from training.errors import DataError, RunError, message
from training.evaluation import scores
from training.evaluation.calibration import FEWEST
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.walk_forward import AT_ONCE
from training.run.folder import unwritable, write_json

NARROWEST, WIDEST = 0.2, 5.0  # factors that are tried


@dataclass(frozen=True, eq=False)
class Learned:
    """A factor, and what it does to the forecasts that it was learned from.

    Attributes
    ----------
    coverage
        Share of closes inside each of the bands `scores.LEVELS`, before and after (2, levels).
    crps
        Mean CRPS in units of the history's volatility times the root of the horizon, before and after.
    """

    factor: SpreadFactor
    coverage: np.ndarray
    crps: tuple[float, float]


def learn(
    model: Forecaster,
    cutoffs: Sequence[Cutoff],
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    driftless: bool = False,
    seed: int = 0,
    on_cutoffs: Callable[[int], None] | None = None,
) -> dict[str, Learned]:
    """Return a factor for each group that has at least `FEWEST` of the cutoffs.

    Parameters
    ----------
    model
        Draws paths, with `temperature` and `top_p`, and `driftless` ones if so.
    cutoffs
        Of one lookback and horizon; the paths of one group are in memory together.
    on_cutoffs
        Called with how many were forecast, after each part.

    Raises
    ------
    DataError
        No group has as many.
    """
    found: dict[str, Learned] = {}
    done = 0
    for group, places in groupby(sorted(cutoffs, key=lambda one: one.group), key=lambda one: one.group):
        here = list(places)
        if len(here) < FEWEST:
            continue
        parts = []
        for part in _forecast(model, here, seed):
            parts.append(part)
            done += len(part[0])
            if on_cutoffs:
                on_cutoffs(done)
        moves, actual, unit = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        scale = best_scale(moves, actual, unit, driftless=driftless)
        until = pd.Timestamp(max(one.known_at for one in here)).date()
        factor = SpreadFactor(round(scale, 4), len(here), until, temperature, top_p, driftless)
        both = moves, scaled(moves, factor.scale)
        before, after = (_mean_crps(one, actual, unit, driftless=driftless) for one in both)
        found[group] = Learned(factor, np.stack([_coverage(one, actual) for one in both]), (before, after))
    if not found:
        raise DataError(message("No market and interval has the {fewest} cutoffs that a factor takes.", fewest=FEWEST))
    return found


def best_scale(moves: np.ndarray, actual: np.ndarray, unit: np.ndarray, *, driftless: bool = False) -> float:
    """Return the factor of least mean CRPS.

    Parameters
    ----------
    moves
        Log returns of drawn paths since the last close (B, M, H).
    actual
        What came (B, H).
    unit
        What CRPS is measured in (B,).
    driftless
        Whether the paths were moved to a common middle.
    """
    # The CRPS of a stretched ensemble is convex in the factor, so there is one minimum.
    found = minimize_scalar(
        lambda scale: _mean_crps(scaled(moves, scale), actual, unit, driftless=driftless),
        bounds=(NARROWEST, WIDEST),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(found.x)


def scaled(moves: np.ndarray, scale: float) -> np.ndarray:
    """Return paths (B, M, H) whose deviations from the median of each step are multiplied."""
    median = np.median(moves, axis=1, keepdims=True)
    return np.asarray(median + scale * (moves - median))


def write_factors(found: Mapping[str, Learned], path: Path) -> None:
    """Write what `engine.usage.read_recalibration` reads.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(path.parent, error)) from error
    write_json(path, {group: one.factor.to_dict() for group, one in found.items()})


def table(found: Mapping[str, Learned]) -> pd.DataFrame:
    """Return a row a group: its factor, and CRPS and coverage before and after."""
    rows = {
        group: {
            "factor": one.factor.scale,
            "cutoffs": one.factor.cutoffs,
            "until": one.factor.until.isoformat(),
            "crps": one.crps[0],
            "crps after": one.crps[1],
            **{
                f"{level * 100:.0f} %{after}": one.coverage[row, place]
                for place, level in enumerate(scores.LEVELS)
                for row, after in enumerate(("", " after"))
            },
        }
        for group, one in found.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _forecast(
    model: Forecaster, cutoffs: Sequence[Cutoff], seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield moves, what came and the unit of some cutoffs after another."""
    for part in batches(cutoffs, AT_ONCE):
        request = request_of(part, seed)
        last = request.closes[:, -1]
        moves = np.log(model.forecast(request).close / last[:, None, None])
        actual = np.log(np.stack([cutoff.actual[:, CLOSE] for cutoff in part]) / last[:, None])
        yield moves, actual, request.returns.std(axis=1) * np.sqrt(request.horizon)


def _mean_crps(moves: np.ndarray, actual: np.ndarray, unit: np.ndarray, *, driftless: bool) -> float:
    estimate = scores.crps_centred if driftless else scores.crps
    return float((estimate(moves, actual, drawn=True) / unit[:, None]).mean())


def _coverage(moves: np.ndarray, actual: np.ndarray) -> np.ndarray:
    low, high = scores.bands(moves, drawn=True)
    return np.asarray(scores.covered(low, high, actual).mean(axis=(1, 2)))
