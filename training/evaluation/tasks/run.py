"""A task of the paper on a folder of candles: `python -m training task`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from engine.predictor import KronosPredictor
from training.errors import DataError, Message, message
from training.evaluation.command import read_series, warnings_of
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.tasks.forecasting import forecast
from training.evaluation.tasks.investment import invest
from training.evaluation.tasks.outcome import Market, MarketRun, Outcome
from training.evaluation.tasks.presets import DAY, TASKS, TaskName
from training.evaluation.tasks.synthetic import generate
from training.evaluation.walk_forward import OnStep

RUNS: Mapping[TaskName, Callable[[MarketRun], tuple[Market, Sequence[Cutoff]] | Message | None]] = {
    "synthetic": generate,
    "investment": invest,
}


def run(
    name: TaskName,
    predictor: KronosPredictor,
    paths: Iterable[Path],
    folder: Path,
    *,
    split: str | None = None,
    count: int | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Outcome:
    """Return the result of a task, file by file of `training.evaluation.command.read_series`.

    Forecasts are stored in `folder`, so that a stopped run resumes, except for synthetic candles. `count` is how much
    of each file is used, by default `Task.count`. `on_step` is called with steps done and in total, of one file after
    another; it may raise to cancel. Raises DataError if no file has enough candles for the task, and RunError if
    `folder` cannot be written.
    """
    task = TASKS[name]
    markets: list[Market] = []
    warnings: list[Message] = []
    cutoffs: list[Cutoff] = []
    for path in sorted(paths):
        series = list(read_series([path], split))
        seconds = interval(series)
        if seconds is None or (name == "investment" and seconds != DAY):
            continue
        window = task.window(seconds, predictor.max_context)
        market = MarketRun(task, predictor, series, window, folder, count or task.count, seed, on_step)
        result = RUNS.get(name, forecast)(market)
        if isinstance(result, tuple):
            markets.append(result[0])
            cutoffs += result[1]
        elif result is not None:
            warnings.append(result)
    if not markets:
        raise DataError(_nothing(split, warnings))
    return Outcome(task, markets, [*warnings_of([predictor.name], cutoffs), *warnings])


def interval(series: Sequence[Series]) -> float | None:
    """Return the median seconds between two candles, None where there are no two."""
    gaps = [np.diff(candles.times) for candles in series if len(candles) > 1]
    return float(np.median(np.concatenate(gaps)) / 1e9) if gaps else None


def _nothing(split: str | None, reasons: Sequence[Message]) -> Message:
    if reasons:
        return reasons[0]
    if split:
        return message("No market has enough candles of the split {split} for this task.", split=split)
    return message("No market has enough candles for this task.")
