"""Records of many forecasts put together: figures of each forecaster, who is best, and in words what that means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import scoringrules

from training.errors import Message, message
from training.evaluation import scores
from training.evaluation.baselines.labels import label
from training.evaluation.inference import Estimate, estimates, ratio
from training.evaluation.records import KEYS, LEVEL_NAMES

# Averaged over steps, then over cutoffs.
AVERAGED = (
    "crps",
    "crps_centred",
    "wis",
    "pinball",
    "sharpness",
    *(f"coverage_{level}" for level in LEVEL_NAMES),
    *(f"width_{level}" for level in LEVEL_NAMES),
    "mae",
    "mae_price",
    "mape",
    "mase",
    "direction",
    "brier",
    "energy",
    "impossible",
)
RENAMED = {
    **{f"covered_{level}": f"coverage_{level}" for level in LEVEL_NAMES},
    "absolute": "mae",
    "absolute_price": "mae_price",
    "percentage": "mape",
    "scaled": "mase",
    "hit": "direction",
}
FEWEST_SYMBOLS = 5  # of one time, to rank them
FORESEEN = "volatility_foreseen"
STILL = 1e-12  # of a log return: what never moved has a law as well


def by_cutoff(steps: pd.DataFrame) -> pd.DataFrame:
    """Return a row a cutoff and forecaster of `records`: scores averaged over steps, and the last step's returns.

    Index `KEYS` and forecaster.
    """
    index = [*KEYS, "forecaster"]
    mean = steps.drop(columns="step").groupby(index, sort=False).mean()
    last = steps[steps["step"] == steps["step"].max()].set_index(index)[["mean", "actual", "pit"]]
    return mean.rename(columns=RENAMED).join(last.add_prefix("last_"))


def figures(table: pd.DataFrame, *, overlap: int = 1) -> dict[str, Estimate]:
    """Return the figures of one forecaster, from its rows of `by_cutoff`.

    Returns
    -------
    dict
        `AVERAGED`, with rmse and rmse_price; ic, rank_ic and icir (see `information`); volatility_mae, volatility_r2.
    """
    times = table.index.get_level_values("time").to_numpy()
    averaged = table[list(AVERAGED)].to_numpy()
    found = dict(zip(AVERAGED, estimates(averaged, times, overlap=overlap), strict=True))
    roots = estimates(table[["squared", "squared_price"]].to_numpy(), times, np.sqrt, overlap=overlap)
    found |= dict(zip(("rmse", "rmse_price"), roots, strict=True))
    found |= information(table, overlap=overlap)[0]
    found |= realised(table, overlap=overlap)
    return found


def realised(table: pd.DataFrame, *, overlap: int = 1) -> dict[str, Estimate]:
    """Return volatility_mae and volatility_r2 of one forecaster, from its rows of `by_cutoff`."""
    forecast, actual = table["volatility"].to_numpy(), table["realised"].to_numpy()
    squares = np.column_stack([np.abs(forecast - actual), (forecast - actual) ** 2, actual, actual**2])
    times = table.index.get_level_values("time").to_numpy()
    found = estimates(squares, times, _volatility, overlap=overlap)
    return dict(zip(("volatility_mae", "volatility_r2"), found, strict=True))


def information(table: pd.DataFrame, *, overlap: int = 1) -> tuple[dict[str, Estimate], Literal["symbols", "cutoffs"]]:
    """Return ic, rank_ic and icir of the return at the last step, and what they were taken across.

    At each time across the symbols that share it, averaged over times, where one has five symbols; else across all
    cutoffs together, without icir.
    """
    known = table[np.isfinite(table["last_actual"])]
    shared = known.groupby("time").filter(lambda here: len(here) >= FEWEST_SYMBOLS)
    if shared.empty:
        return pooled(known, overlap), "cutoffs"
    values = [
        (time, *(scores.correlation(*here[["last_mean", "last_actual"]].to_numpy().T, ranks=r) for r in (False, True)))
        for time, here in shared.groupby("time")
    ]
    times, ic, rank = (np.array(part) for part in zip(*values, strict=True))
    columns = np.column_stack([ic, rank, rank**2])
    found = estimates(columns, times, _information, overlap=overlap)
    return dict(zip(("ic", "rank_ic", "icir"), found, strict=True)), "symbols"


def ranking(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return forecasters by their mean CRPS, best first."""
    means = table["crps"].groupby("forecaster").mean()
    return sorted(names, key=lambda name: float(means[name]))


def crps_ratio(table: pd.DataFrame, one: str, other: str, *, overlap: int = 1) -> Estimate:
    """Return the ratio of two forecasters' CRPS over the cutoffs that both have, with its interval."""
    pairs = paired(table, one, other)
    times = pairs.index.get_level_values("time").to_numpy()
    return ratio(pairs["one"].to_numpy(), pairs["other"].to_numpy(), times, overlap=overlap)


def foreseen(steps: pd.DataFrame) -> pd.Series:
    """Return the CRPS (cutoffs,) of a walk without drift whose steps were as volatile as those that came.

    Nobody forecasts this: it says how much there is to gain, at these cutoffs, for one who knows how far prices will
    go and not where to.

    Parameters
    ----------
    steps
        Rows of `records`, of one forecaster: whoever it is, what came is the same.

    Returns
    -------
    pandas.Series
        By `KEYS`, in units of the history's volatility times the root of the horizon, named `FORESEEN`.
    """
    horizon = int(steps["step"].max())
    deviation = np.maximum(steps["realised"], STILL) * np.sqrt(steps["step"] / horizon)
    crps = scoringrules.crps_normal(steps["actual"].to_numpy(), 0.0, deviation.to_numpy()) / steps["unit"]
    return steps[KEYS].assign(**{FORESEEN: crps}).groupby(KEYS, sort=False)[FORESEEN].mean()


def paired(table: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return the CRPS of two forecasters as columns `one` and `other`, a row a cutoff that both have."""
    wide = table["crps"].unstack("forecaster")
    return pd.DataFrame({"one": wide[one], "other": wide[other]}).dropna()


def verdict(name: str, baseline: str, against: Estimate) -> Message:
    """Say in one sentence how a forecaster did against a baseline."""
    values: dict[str, Any] = {"model": label(name), "baseline": label(baseline), **told(against)}
    if not np.isfinite(against.value):
        return message("On this data {model} cannot be compared with {baseline}.", **values)
    if against.low is None or against.high is None:
        return message(
            "The CRPS of {model} is {ratio} times that of {baseline}; there are too few cutoff times to conclude "
            "anything.",
            **values,
        )
    if against.high < 1:
        return message(
            "On this data {model} is better than {baseline} (CRPS {ratio}, 95 % interval {low}–{high}).", **values
        )
    if against.low > 1:
        return message(
            "On this data {model} is worse than {baseline} (CRPS {ratio}, 95 % interval {low}–{high}).", **values
        )
    return message(
        "On this data {model} is no better than {baseline} (CRPS {ratio}, 95 % interval {low}–{high}).", **values
    )


def told(against: Estimate) -> dict[str, str]:
    """Return a ratio and its interval as sentences show them."""
    shown = {"ratio": against.value, "low": against.low, "high": against.high}
    return {key: f"{value:.3f}" for key, value in shown.items() if value is not None}


def pooled(known: pd.DataFrame, overlap: int) -> dict[str, Estimate]:
    """Return ic and rank_ic of the return at the last step over all cutoffs together, and icir, which is none then."""
    times = known.index.get_level_values("time").to_numpy()
    pair = known[["last_mean", "last_actual"]]
    if len(pair) < 3:
        return dict.fromkeys(("ic", "rank_ic", "icir"), Estimate(float("nan")))
    found = {
        name: estimates(_products(values), times, _correlation, overlap=overlap)[0]
        for name, values in (("ic", pair), ("rank_ic", pair.rank()))
    }
    return {**found, "icir": Estimate(float("nan"))}


def _products(pair: pd.DataFrame) -> np.ndarray:
    one, other = (pair.to_numpy() / np.maximum(pair.abs().to_numpy().max(axis=0), 1e-300)).T
    return np.column_stack([one, other, one**2, other**2, one * other])


def _correlation(m: np.ndarray) -> np.ndarray:
    one, other = m[..., 2] - m[..., 0] ** 2, m[..., 3] - m[..., 1] ** 2
    none = (one <= 1e-15) | (other <= 1e-15)  # what rounding leaves of no variance
    return np.asarray(np.where(none, np.nan, (m[..., 4] - m[..., 0] * m[..., 1]) / np.sqrt(np.abs(one * other))))[
        ..., None
    ]


def _information(m: np.ndarray) -> np.ndarray:
    spread = np.sqrt(np.maximum(m[..., 2] - m[..., 1] ** 2, 0.0))
    return np.stack([m[..., 0], m[..., 1], m[..., 1] / np.where(spread > 0, spread, np.nan)], axis=-1)


def _volatility(m: np.ndarray) -> np.ndarray:
    total = m[..., 3] - m[..., 2] ** 2
    return np.stack([m[..., 0], 1 - m[..., 1] / np.where(total > 0, total, np.nan)], axis=-1)
