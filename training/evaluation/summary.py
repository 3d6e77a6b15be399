"""Figures of forecasters over many records, their ranking, and ratios of their CRPS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import scoringrules

from training.evaluation import scores
from training.evaluation.inference import Estimate, estimates, ratio
from training.evaluation.records import INDEX, KEYS, LEVEL_NAMES

RENAMED = {
    **{f"covered_{level}": f"coverage_{level}" for level in LEVEL_NAMES},
    "absolute": "mae",
    "absolute_price": "mae_price",
    "percentage": "mape",
    "scaled": "mase",
    "hit": "direction",
}
# Averaged over steps, then over cutoffs.
AVERAGED = (
    *("crps", "crps_centred", "wis", "pinball", "sharpness"),
    *(f"coverage_{level}" for level in LEVEL_NAMES),
    *(f"width_{level}" for level in LEVEL_NAMES),
    *("mae", "mae_price", "mape", "mase", "direction", "brier", "energy", "impossible"),
)
FEWEST_SYMBOLS = 5  # of one time, for a rank correlation across them
FORESEEN = "volatility_foreseen"
LEAST_VOLATILITY = 1e-12  # of a log return, where prices did not move
Across = Literal["symbols", "cutoffs"]


def by_cutoff(steps: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cutoff and forecaster of `records`, by `INDEX`: mean scores, and the returns of the last step."""
    mean = steps.drop(columns="step").groupby(INDEX, sort=False).mean()
    last = steps[steps["step"] == steps["step"].max()].set_index(INDEX)[["mean", "actual", "pit"]]
    return mean.rename(columns=RENAMED).join(last.add_prefix("last_"))


def rows_of(table: pd.DataFrame, forecaster: str) -> pd.DataFrame:
    """Return the rows of one forecaster in a table by `INDEX`."""
    return table[table.index.get_level_values("forecaster") == forecaster]


def times_of(table: pd.DataFrame) -> np.ndarray:
    """Return the cutoff times of a table by `INDEX`, in nanoseconds."""
    return table.index.get_level_values("time").to_numpy()


def figures(table: pd.DataFrame, *, overlap: int = 1) -> dict[str, Estimate]:
    """Return the figures of one forecaster, from its rows of `by_cutoff`.

    Returns
    -------
    dict
        `AVERAGED`, rmse, rmse_price; ic, rank_ic and icir (see `information`); volatility_mae, volatility_r2.
    """
    times = times_of(table)
    means = estimates(table[list(AVERAGED)].to_numpy(), times, overlap=overlap)
    roots = estimates(table[["squared", "squared_price"]].to_numpy(), times, np.sqrt, overlap=overlap)
    return {
        **dict(zip((*AVERAGED, "rmse", "rmse_price"), [*means, *roots], strict=True)),
        **information(table, overlap=overlap)[0],
        **volatility_errors(table, overlap=overlap),
    }


def volatility_errors(table: pd.DataFrame, *, overlap: int = 1) -> dict[str, Estimate]:
    """Return volatility_mae and volatility_r2 of one forecaster, from its rows of `by_cutoff`."""
    forecast, actual = table["volatility"].to_numpy(), table["realised"].to_numpy()
    columns = np.column_stack([np.abs(forecast - actual), (forecast - actual) ** 2, actual, actual**2])

    def of(m: np.ndarray) -> np.ndarray:
        total = m[..., 3] - m[..., 2] ** 2
        return np.stack([m[..., 0], 1 - m[..., 1] / np.where(total > 0, total, np.nan)], axis=-1)

    results = estimates(columns, times_of(table), of, overlap=overlap)
    return dict(zip(("volatility_mae", "volatility_r2"), results, strict=True))


def information(table: pd.DataFrame, *, overlap: int = 1) -> tuple[dict[str, Estimate], Across]:
    """Return ic, rank_ic and icir of the last step's return, and what they are taken across.

    At each time with five symbols, across these symbols, averaged over times; where there is no such time, across all
    cutoffs, without icir.
    """
    known = table[np.isfinite(table["last_actual"])]
    shared = known.groupby("time").filter(lambda rows: len(rows) >= FEWEST_SYMBOLS)
    if shared.empty:
        return pooled(known, overlap), "cutoffs"
    groups = [
        (time, *rows[["last_mean", "last_actual"]].to_numpy().T[:, None]) for time, rows in shared.groupby("time")
    ]
    ic, rank = (
        np.array([scores.correlations(forecast, actual, ranks=ranks)[0] for _, forecast, actual in groups])
        for ranks in (False, True)
    )

    def of(m: np.ndarray) -> np.ndarray:
        spread = np.sqrt(np.maximum(m[..., 2] - m[..., 1] ** 2, 0.0))
        return np.stack([m[..., 0], m[..., 1], m[..., 1] / np.where(spread > 0, spread, np.nan)], axis=-1)

    times = np.array([time for time, _, _ in groups])
    results = estimates(np.column_stack([ic, rank, rank**2]), times, of, overlap=overlap)
    return dict(zip(("ic", "rank_ic", "icir"), results, strict=True)), "symbols"


def pooled(known: pd.DataFrame, overlap: int) -> dict[str, Estimate]:
    """Return ic and rank_ic of the last step's return across all cutoffs, and icir, which is NaN."""
    none = Estimate(float("nan"))
    pair = known[["last_mean", "last_actual"]]
    if len(pair) < 3:
        return dict.fromkeys(("ic", "rank_ic", "icir"), none)
    ic, rank_ic = (
        estimates(_products(values), times_of(known), _correlation, overlap=overlap)[0]
        for values in (pair, pair.rank())
    )
    return {"ic": ic, "rank_ic": rank_ic, "icir": none}


def ranking(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return forecasters by their mean CRPS, best first."""
    means = table["crps"].groupby("forecaster").mean()
    return sorted(names, key=lambda name: float(means[name]))


def paired(table: pd.DataFrame, name: str, reference: str) -> pd.DataFrame:
    """Return the CRPS of two forecasters as columns `scores` and `reference`, a row a cutoff that both have."""
    wide = table["crps"].unstack("forecaster")
    return pd.DataFrame({"scores": wide[name], "reference": wide[reference]}).dropna()


def crps_ratio(table: pd.DataFrame, name: str, reference: str, *, overlap: int = 1) -> Estimate:
    """Return the ratio of two forecasters' CRPS over the cutoffs that both have, with its interval."""
    pairs = paired(table, name, reference)
    return ratio(pairs["scores"].to_numpy(), pairs["reference"].to_numpy(), times_of(pairs), overlap=overlap)


def foreseen(steps: pd.DataFrame) -> pd.Series:
    """Return the CRPS of a random walk without drift that knows the realized volatility of each future, by `KEYS`.

    It is no possible forecast: it shows how much CRPS a perfect volatility forecast would gain at these cutoffs, in
    units of the history's volatility times the root of the horizon. `steps` are `records` of any one forecaster.
    """
    horizon = int(steps["step"].max())
    deviation = np.maximum(steps["realised"], LEAST_VOLATILITY) * np.sqrt(steps["step"] / horizon)
    crps = scoringrules.crps_normal(steps["actual"].to_numpy(), 0.0, deviation.to_numpy()) / steps["unit"]
    return steps[KEYS].assign(**{FORESEEN: crps}).groupby(KEYS, sort=False)[FORESEEN].mean()


def _products(pair: pd.DataFrame) -> np.ndarray:
    forecast, actual = (pair.to_numpy() / np.maximum(pair.abs().to_numpy().max(axis=0), 1e-300)).T
    return np.column_stack([forecast, actual, forecast**2, actual**2, forecast * actual])


def _correlation(m: np.ndarray) -> np.ndarray:
    of_forecast, of_actual = m[..., 2] - m[..., 0] ** 2, m[..., 3] - m[..., 1] ** 2
    constant = (of_forecast <= 1e-15) | (of_actual <= 1e-15)  # up to rounding
    covariance = m[..., 4] - m[..., 0] * m[..., 1]
    return np.where(constant, np.nan, covariance / np.sqrt(np.abs(of_forecast * of_actual)))[..., None]
