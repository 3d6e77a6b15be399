"""A task of the paper on a folder of candles: what `python -m training task` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from engine.predictor import KronosPredictor
from training.errors import DataError, Message, message
from training.evaluation.command import read_series, warnings_of
from training.evaluation.cutoffs import Cutoff, Series
from training.evaluation.tasks.forecasting import forecast
from training.evaluation.tasks.investment import invest
from training.evaluation.tasks.outcome import Market, Outcome
from training.evaluation.tasks.presets import DAY, TASKS, TaskName
from training.evaluation.tasks.synthetic import generate
from training.evaluation.walk_forward import OnStep

Work = Callable[..., tuple[Market | Message | None, Sequence[Cutoff]]]


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
    """Return what came of a task, file by file of `training.evaluation.command.read_series`.

    Parameters
    ----------
    folder
        Where forecasts are kept, so that what was stopped goes on; of synthetic candles nothing is.
    count
        How much of each file is taken; None: `Task.count`.
    on_step
        Called with steps done and in all, of one file after another; may raise to cancel.

    Raises
    ------
    DataError
        No file has enough candles for the task.
    RunError
        `folder` cannot be written to.
    """
    task = TASKS[name]
    work = _work(name, folder)
    markets: list[Market] = []
    warnings: list[Message] = []
    places: list[Cutoff] = []
    for path in sorted(paths):
        series = list(read_series([path], split))
        seconds = interval(series)
        if seconds is None or (name == "investment" and seconds != DAY):
            continue
        window = task.window(seconds, predictor.max_context)
        found, here = work(task, predictor, series, window, count=count or task.count, seed=seed, on_step=on_step)
        if isinstance(found, Market):
            markets.append(found)
            places += here
        elif found is not None:
            warnings.append(found)
    if not markets:
        raise DataError(_nothing(split, warnings))
    return Outcome(task, markets, [*warnings_of([predictor.name], places), *warnings])


def interval(series: Sequence[Series]) -> float | None:
    """Return the most usual seconds between two candles, None where there are no two."""
    gaps = [np.diff(one.times) for one in series if len(one) > 1]
    return float(np.median(np.concatenate(gaps)) / 1e9) if gaps else None


def _work(name: TaskName, folder: Path) -> Work:
    if name == "synthetic":
        return generate
    return partial(invest if name == "investment" else forecast, folder=folder)


def _nothing(split: str | None, reasons: Sequence[Message]) -> Message:
    if reasons:
        return reasons[0]
    if split:
        return message("No market has enough candles of the split {split} for this task.", split=split)
    return message("No market has enough candles for this task.")
