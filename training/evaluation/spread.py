"""Spread factors by market and interval, learned from a model's forecasts to be shipped with it.

One factor multiplies the deviations of log paths from their median; the best one has the lowest CRPS. `calibration`
learns from the forecasts of a single series instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from engine.candles import CLOSE
from engine.usage import SpreadFactor
from training.errors import DataError
from training.evaluation import scores
from training.evaluation.calibration import FEWEST
from training.evaluation.cutoffs import Cutoff
from training.evaluation.files import writable
from training.evaluation.forecasters import Forecaster, batches, request_of
from training.evaluation.walk_forward import AT_ONCE
from training.run.folder import write_json

NARROWEST, WIDEST = 0.2, 5.0  # factors that are tried


@dataclass(frozen=True, eq=False)
class Learned:
    """A factor and its effect on the forecasts it was learned from."""

    factor: SpreadFactor
    coverage: np.ndarray  # observed coverage of the bands `scores.LEVELS`, before and after (2, levels)
    crps: tuple[float, float]  # mean, in units of the history's volatility times the root of the horizon


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
    """Return a factor for each group with at least `FEWEST` cutoffs; raises DataError if there is none.

    `model` draws paths with `temperature`, `top_p` and `driftless`. Cutoffs have one lookback and horizon; the paths of
    one group are in memory together. `on_cutoffs` is called with the number of cutoffs done, after each batch.
    """
    learned: dict[str, Learned] = {}
    done, by_group = 0, attrgetter("group")
    for group, members in groupby(sorted(cutoffs, key=by_group), key=by_group):
        of_group = list(members)
        if len(of_group) < FEWEST:
            continue
        parts = []
        for part in _forecast(model, of_group, seed):
            parts.append(part)
            done += len(part[0])
            if on_cutoffs:
                on_cutoffs(done)
        moves, actual, unit = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        scale = round(best_scale(moves, actual, unit, driftless=driftless), 4)
        until = pd.Timestamp(max(cutoff.known_at for cutoff in of_group)).date()
        factor = SpreadFactor(scale, len(of_group), until, temperature, top_p, driftless)
        both = moves, scaled(moves, scale)
        before, after = (_mean_crps(members, actual, unit, driftless=driftless) for members in both)
        learned[group] = Learned(factor, np.stack([_coverage(members, actual) for members in both]), (before, after))
    if not learned:
        raise DataError("No market and interval has the {fewest} cutoffs that a factor needs.", fewest=FEWEST)
    return learned


def best_scale(moves: np.ndarray, actual: np.ndarray, unit: np.ndarray, *, driftless: bool = False) -> float:
    """Return the factor of lowest mean CRPS.

    Log returns since the last close are `moves` (B, M, H) of drawn paths, zero-drift ones if `driftless`, and `actual`
    (B, H); `unit` is that of the CRPS (B,).
    """
    # The CRPS of a stretched ensemble is convex in the factor, so there is one minimum.
    minimum = minimize_scalar(
        lambda scale: _mean_crps(scaled(moves, scale), actual, unit, driftless=driftless),
        bounds=(NARROWEST, WIDEST),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(minimum.x)


def scaled(moves: np.ndarray, scale: float) -> np.ndarray:
    """Return paths (B, M, H) with their deviations from the median of each step multiplied."""
    median = np.median(moves, axis=1, keepdims=True)
    return np.asarray(median + scale * (moves - median))


def write_factors(learned: Mapping[str, Learned], path: Path) -> None:
    """Write the file that `engine.usage.read_recalibration` reads; raises RunError if it cannot be written."""
    with writable(path.parent):
        write_json(path, {group: result.factor.to_dict() for group, result in learned.items()})


def table(learned: Mapping[str, Learned]) -> pd.DataFrame:
    """Return a row a group: its factor, and CRPS and coverage before and after."""
    rows = {
        group: {
            "factor": result.factor.scale,
            "cutoffs": result.factor.cutoffs,
            "until": result.factor.until.isoformat(),
            "crps": result.crps[0],
            "crps after": result.crps[1],
            **{
                f"{level * 100:.0f} %{after}": result.coverage[row, place]
                for place, level in enumerate(scores.LEVELS)
                for row, after in enumerate(("", " after"))
            },
        }
        for group, result in learned.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _forecast(
    model: Forecaster, cutoffs: Sequence[Cutoff], seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield forecast moves, actual moves and the unit of one batch of cutoffs after another."""
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
