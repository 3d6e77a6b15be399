"""Judging a model on a folder of candles, `<market>/<interval>.parquet`: what `python -m training evaluate` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import CLOSE, PRICES
from engine.predictor import KronosPredictor
from engine.registry import find_spec
from training.errors import Message
from training.evaluation.baselines import BASELINES
from training.evaluation.cutoffs import Cutoff, Series, spread
from training.evaluation.forecasters import Forecaster
from training.evaluation.kronos import KronosForecaster
from training.evaluation.report import Report
from training.evaluation.walk_forward import OnStep, seen_in_training, walk_forward

SPLIT_MOVE = 0.7  # a log move between two closes beyond this is an unadjusted split or a listing gap, not a market
FIGURES = ("crps", "coverage_50", "coverage_80", "coverage_90", "mae", "rank_ic", "direction", "impossible")


def read_series(paths: Iterable[Path], split: str | None = None) -> Iterator[Series]:
    """Yield the continuous series of Parquet files, a file in memory at a time.

    Files have the columns symbol, timestamp, open, high, low, close, optionally volume, amount and split; rows of a
    symbol ascend in time. A file's group is its folder and its name, as in `crypto/1h`. Candles with a price that is
    missing or not above zero are left out, and a series ends where an unadjusted split begins another.

    Parameters
    ----------
    split
        Keep only rows whose column `split` has this value.
    """
    for path in sorted(paths):
        frame = pd.read_parquet(path, filters=[("split", "==", split)] if split else None)
        for symbol, candles in frame.groupby("symbol", sort=True):
            yield from continuous(candles, str(symbol), f"{path.parent.name}/{path.stem}")


def continuous(candles: pd.DataFrame, symbol: str, group: str) -> Iterator[Series]:
    """Yield the continuous series of one symbol, without candles that lack a price above zero."""
    prices = candles[list(PRICES)].to_numpy(np.float64)
    series = Series.of(candles[(np.isfinite(prices) & (prices > 0)).all(axis=1)], symbol, group)
    moves = np.abs(np.diff(np.log(series.values[:, CLOSE])))
    cuts = [0, *(np.flatnonzero(moves > SPLIT_MOVE) + 1).tolist(), len(series)]
    for start, stop in pairwise(cuts):
        yield Series(series.group, series.symbol, series.values[start:stop], series.times[start:stop])


def cutoffs(
    paths: Iterable[Path], split: str | None, *, lookback: int, horizon: int, per_group: int, seed: int = 0
) -> list[Cutoff]:
    """Return up to `per_group` cutoffs of each file of `read_series`; see `training.evaluation.cutoffs.spread`."""
    found = []
    for _, series in groupby(read_series(paths, split), key=lambda one: one.group):
        found += spread(list(series), lookback=lookback, horizon=horizon, count=per_group, seed=seed)
    return found


def evaluate(
    predictor: KronosPredictor,
    places: Sequence[Cutoff],
    folder: Path,
    *,
    samples: int = 100,
    temperature: float = 1.0,
    top_p: float = 1.0,
    driftless: bool = False,
    baselines: Sequence[Forecaster] = BASELINES,
    seed: int = 0,
    refit: bool = True,
    on_step: OnStep | None = None,
) -> Report:
    """Forecast each cutoff with a model and the baselines, and return the report.

    Parameters
    ----------
    folder
        Where scores are kept, so that what was stopped goes on; see `walk_forward`, which takes several models.
    refit
        As there.
    on_step
        Called with batches done and in all; may raise to cancel.

    Raises
    ------
    DataError
        There are no cutoffs.
    RunError
        The folder cannot be written to.
    """
    model = KronosForecaster(predictor.name, predictor, samples, temperature, top_p, driftless)
    results = walk_forward([model, *baselines], places, folder, seed=seed, refit=refit, on_step=on_step)
    return Report(results, [one.name for one in baselines])


def warnings_of(models: Iterable[str], places: Sequence[Cutoff]) -> list[Message]:
    """Return what the registry's models may have seen of these cutoffs in their training."""
    specs = [(name, find_spec(name)) for name in models]
    told = [seen_in_training(name, spec.seen_until, places) for name, spec in specs if spec is not None]
    return [one for one in told if one is not None]


def summarise(report: Report) -> pd.DataFrame:
    """Return the mean `FIGURES` by forecaster, best first, with CRPS as a ratio to the best baseline's.

    Returns
    -------
    pandas.DataFrame
        Index forecaster; columns ratio, low, high (95 % interval of the ratio), p (Diebold-Mariano), `FIGURES`.
    """
    lines = {
        name: {
            "ratio": row.skill.value,
            "low": row.skill.low,
            "high": row.skill.high,
            "p": row.test.p,
            **{figure: row.figures[figure].value for figure in FIGURES},
        }
        for name, row in report.rows.items()
    }
    table = pd.DataFrame.from_dict(lines, orient="index").astype(np.float64).rename_axis("forecaster")
    return table.sort_values("crps", kind="stable")


def describe(report: Report, places: Sequence[Cutoff]) -> str:
    """Return what a terminal shows: warnings, one sentence of verdict, all forecasters, and the models by market."""
    by_group = report.by_group()
    of_models = by_group[by_group.index.get_level_values("forecaster").isin(report.models)]
    return "\n\n".join(
        [
            *(str(one) for one in warnings_of(report.models, places)),
            *(str(one) for one in report.verdicts.values()),
            summarise(report).round(3).to_string(),
            of_models.round(3).to_string(),
        ]
    )


def write_scores(report: Report, path: Path) -> None:
    """Write the scores of every forecaster at every cutoff as CSV."""
    table = report.table.reset_index().drop(columns="known_at")
    table.assign(time=pd.to_datetime(table["time"])).to_csv(path, index=False)
