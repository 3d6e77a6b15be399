"""Scores of forecasts made in several ways at the same cutoffs with the same seeds, and their paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from engine.candles import CLOSE, FEATURES
from engine.forecast import Forecast
from training.evaluation.cutoffs import Cutoff
from training.evaluation.forecast_scores import coverage, crps

Forecaster = Callable[[Cutoff, int], Forecast]
"""Takes a cutoff and a seed."""

LEVELS = (0.5, 0.8, 0.9)
COVERAGE = [f"coverage_{level * 100:.0f}" for level in LEVELS]


def score(forecasters: Mapping[str, Forecaster], data: Sequence[Cutoff]) -> pd.DataFrame:
    """Return a row a cutoff and forecaster.

    Returns
    -------
    pandas.DataFrame
        Columns cutoff (its number, and the seed of its paths), group, way (key of `forecasters`), crps (of the log
        close, in units of the history's volatility times the root of the horizon), coverage_50, coverage_80,
        coverage_90.
    """
    rows = []
    for seed, cutoff in enumerate(tqdm(data, disable=None)):
        close = np.log(cutoff.history["close"].to_numpy(np.float64))
        actual = np.log(cutoff.future["close"].to_numpy(np.float64))
        unit = max(float(np.diff(close).std()), 1e-12) * np.sqrt(len(actual))
        for way, forecast in forecasters.items():
            members = np.log(forecast(cutoff, seed).paths[..., CLOSE])
            covered = (coverage(members, actual, level) for level in LEVELS)
            rows.append((seed, cutoff.group, way, crps(members, actual) / unit, *covered))
    return pd.DataFrame(rows, columns=["cutoff", "group", "way", "crps", *COVERAGE])


def columns(history: pd.DataFrame) -> pd.DataFrame:
    """Return the features of candles that are known throughout."""
    return history[[name for name in FEATURES if name in history and not history[name].isna().any()]]


def differences(scores: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Return mean scores by way, with the paired difference of its CRPS to the baseline's.

    Returns
    -------
    pandas.DataFrame
        Index way; columns crps, difference, standard_error (of the difference, over cutoffs), relative (difference in
        units of the baseline's CRPS), cutoffs, and the coverages.
    """
    by_cutoff = scores.pivot(index="cutoff", columns="way", values="crps")
    apart = by_cutoff.sub(by_cutoff[baseline], axis=0)
    ways = list(dict.fromkeys(scores["way"]))
    table = pd.DataFrame(
        {
            "crps": by_cutoff.mean(),
            "difference": apart.mean(),
            "standard_error": apart.std(ddof=1) / np.sqrt(len(apart)),
            "relative": apart.mean() / by_cutoff[baseline].mean(),
            "cutoffs": len(apart),
        }
    )
    return table.join(scores.groupby("way")[COVERAGE].mean()).loc[ways]
