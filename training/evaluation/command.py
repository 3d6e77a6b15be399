"""Evaluation of a model on a folder of candles, `<market>/<interval>.parquet`: `python -m training evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import CLOSE, PRICES
from engine.loading.registry import find_spec
from training.errors import Message
from training.evaluation.baselines import BASELINES
from training.evaluation.cutoffs import Cutoff, Series, spread_by_group
from training.evaluation.forecasters import Forecaster
from training.evaluation.report import Report
from training.evaluation.walk_forward import OnStep, seen_in_training, walk_forward

SPLIT_MOVE = 0.7  # a larger log move between two closes is an unadjusted split or a listing gap
FIGURES = ("crps", "coverage_50", "coverage_80", "coverage_90", "mae", "rank_ic", "direction", "impossible")


def read_series(paths: Iterable[Path], split: str | None = None) -> Iterator[Series]:
    """Yield the continuous series of Parquet files, a file in memory at a time.

    Files have the columns symbol, timestamp, open, high, low, close, optionally volume, amount and split; rows of a
    symbol ascend in time. A file's group is its folder and its name, as in `crypto/1h`. Only rows whose column `split`
    has the value `split` are read, if it is given.
    """
    for path in sorted(paths):
        frame = pd.read_parquet(path, filters=[("split", "==", split)] if split else None)
        for symbol, candles in frame.groupby("symbol", sort=True):
            yield from continuous(candles, str(symbol), f"{path.parent.name}/{path.stem}")


def continuous(candles: pd.DataFrame, symbol: str, group: str) -> Iterator[Series]:
    """Yield the series of one symbol between unadjusted splits, without candles that lack a price above zero."""
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
    series = read_series(paths, split)
    return spread_by_group(series, lookback=lookback, horizon=horizon, per_group=per_group, seed=seed)


def evaluate(
    model: Forecaster,
    cutoffs: Sequence[Cutoff],
    folder: Path,
    *,
    baselines: Sequence[Forecaster] = BASELINES,
    refit: bool = True,
    on_step: OnStep | None = None,
) -> Report:
    """Return the report of a model and the baselines at these cutoffs; all else as in `walk_forward`."""
    results = walk_forward([model, *baselines], cutoffs, folder, refit=refit, on_step=on_step)
    return Report(results, [baseline.name for baseline in baselines])


def warnings_of(models: Iterable[str], cutoffs: Sequence[Cutoff]) -> list[Message]:
    """Return warnings where cutoffs are within the training period of the registry's models."""
    specs = [(name, find_spec(name)) for name in models]
    warnings = [seen_in_training(name, spec.seen_until, cutoffs) for name, spec in specs if spec is not None]
    return [warning for warning in warnings if warning is not None]


def summarise(report: Report) -> pd.DataFrame:
    """Return the mean `FIGURES` by forecaster, best first, with the ratio of the CRPS to the best baseline's.

    Returns
    -------
    pandas.DataFrame
        By forecaster; columns ratio, low, high (95 % interval of the ratio), p (Diebold-Mariano), `FIGURES`.
    """
    rows = {
        name: {
            "ratio": row.skill.value,
            "low": row.skill.low,
            "high": row.skill.high,
            "p": row.test.p,
            **{figure: row.figures[figure].value for figure in FIGURES},
        }
        for name, row in report.rows.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").astype(np.float64).rename_axis("forecaster")
    return table.sort_values("crps", kind="stable")


def describe(report: Report, cutoffs: Sequence[Cutoff]) -> str:
    """Return the text for a terminal: warnings, verdicts, all forecasters, and the models by market."""
    by_group = report.by_group()
    of_models = by_group[by_group.index.get_level_values("forecaster").isin(report.models)]
    sentences = [*warnings_of(report.models, cutoffs), *report.verdicts.values()]
    return "\n\n".join([*map(str, sentences), summarise(report).round(3).to_string(), of_models.round(3).to_string()])


def write_scores(report: Report, path: Path) -> None:
    """Write the scores of every forecaster at every cutoff as CSV."""
    table = report.table.reset_index().drop(columns="known_at")
    table.assign(time=pd.to_datetime(table["time"])).to_csv(path, index=False)
