"""Judging a model where it has never been: forecasts at many cutoffs beside the baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import CLOSE, FEATURES, PRICES
from engine.predictor import KronosPredictor
from training.baselines import BASELINES
from training.corpus import SPLIT_MOVE
from training.scores import coverage, crps

LEVELS = (0.5, 0.8, 0.9)


@dataclass(frozen=True)
class Cutoff:
    """Candles up to a cutoff, and what came after it."""

    group: str
    symbol: str
    history: pd.DataFrame
    future: pd.DataFrame


def cutoffs(
    paths: list[Path], split: str, *, lookback: int, horizon: int, per_group: int, seed: int = 0
) -> Iterator[Cutoff]:
    """Yield up to `per_group` cutoffs of each file, drawn at random without overlap of their futures.

    Files are those of `load_corpus`; windows with an unadjusted split are left out.
    """
    for path in sorted(paths):
        frame = pd.read_parquet(path, filters=[("split", "==", split)])
        places = [
            (symbol, start)
            for symbol, candles in frame.groupby("symbol", sort=True)
            for start in range(0, len(candles) - lookback - horizon + 1, horizon)
        ]
        rng = np.random.default_rng(seed)
        by_symbol = dict(tuple(frame.groupby("symbol", sort=True)))
        chosen = 0
        for index in rng.permutation(len(places)):
            symbol, start = places[index]
            window = by_symbol[symbol].iloc[start : start + lookback + horizon].reset_index(drop=True)
            prices = window[list(PRICES)].to_numpy(np.float64)
            usable = np.isfinite(prices).all() and (prices > 0).all()
            if not usable or np.abs(np.diff(np.log(prices[:, CLOSE]))).max() > SPLIT_MOVE:
                continue
            group = f"{path.parent.name}/{path.stem}"
            yield Cutoff(group, str(symbol), window.iloc[:lookback], window.iloc[lookback:])
            chosen += 1
            if chosen == per_group:
                break


def evaluate(
    predictor: KronosPredictor,
    data: list[Cutoff],
    *,
    samples: int = 100,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_step: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Forecast each cutoff and return one row a cutoff and forecaster.

    Returns
    -------
    pandas.DataFrame
        Columns group, symbol, forecaster, crps (of the log close, in units of the history's volatility times the root
        of the horizon), coverage_50, coverage_80, coverage_90, impossible (share of decoded candles before repair).
    """
    rows = []
    for index, cutoff in enumerate(data):
        rows += _judge(predictor, cutoff, index, samples, temperature, top_p)
        if on_step:
            on_step(index + 1, len(data))
    return pd.DataFrame(rows)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean scores by group and forecaster, and over all groups alike, with CRPS as a ratio to EWMA's."""
    figures = ["crps", *(f"coverage_{level * 100:.0f}" for level in LEVELS), "impossible"]
    means = scores.groupby(["group", "forecaster"])[figures].mean()
    overall = pd.concat({"all": means.groupby("forecaster").mean()}, names=["group"])
    table = pd.concat([means, overall])
    best = table["crps"].xs("ewma", level="forecaster")
    table.insert(1, "crps_to_ewma", table["crps"] / best.reindex(table.index.get_level_values("group")).to_numpy())
    return table


def _judge(
    predictor: KronosPredictor, cutoff: Cutoff, seed: int, samples: int, temperature: float, top_p: float
) -> list[dict[str, object]]:
    columns = [name for name in FEATURES if name in cutoff.history and not cutoff.history[name].isna().any()]
    forecast = predictor.forecast(
        cutoff.history[columns],
        cutoff.history["timestamp"],
        cutoff.future["timestamp"],
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
    )
    close = cutoff.history["close"].to_numpy(np.float64)
    actual = np.log(cutoff.future["close"].to_numpy(np.float64))
    members = {"model": forecast.paths[..., CLOSE]}
    members |= {name: baseline(close, len(actual), samples) for name, baseline in BASELINES.items()}
    unit = max(float(np.diff(np.log(close)).std()), 1e-12) * np.sqrt(len(actual))
    impossible = forecast.repairs / forecast.paths[..., 0].size
    return [
        {
            "group": cutoff.group,
            "symbol": cutoff.symbol,
            "forecaster": name,
            "crps": crps(np.log(values), actual) / unit,
            **{f"coverage_{level * 100:.0f}": coverage(np.log(values), actual, level) for level in LEVELS},
            "impossible": impossible if name == "model" else 0.0,
        }
        for name, values in members.items()
    ]
