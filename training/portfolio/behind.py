"""The forecast behind a score of a walk: the stored signals of its day, and the task that draws its paths again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from training.errors import DataError
from training.portfolio.days import Candles, Day, Past, WalkSettings, next_times
from training.portfolio.walk import StoredSignals

if TYPE_CHECKING:
    from engine.batch import Task
    from engine.predictor import KronosPredictor


def kept_scores(
    folder: Path,
    weights: str,
    universe: Mapping[str, pd.DataFrame],
    settings: WalkSettings,
    day: pd.Timestamp,
    calendar: pd.DatetimeIndex | None = None,
) -> pd.DataFrame | None:
    """Return the signals of a day that `walk.signals` stored in a folder.

    None if they were made with other weights (`digest` of the predictor), settings or candles.
    """
    candles = {name: Candles.of(name, universe[name]) for name in sorted(universe)}
    return StoredSignals(folder, weights, settings).read(Day.of(day, candles, settings, calendar))


def past_of(name: str, candles: pd.DataFrame, lookback: int, day: pd.Timestamp) -> Past:
    """Return the history of the forecast of a day; raises DataError with too few candles, or none of that day."""
    past = Candles.of(name, candles).until(day, lookback)
    if past is None:
        raise DataError("{symbol} has no signal of {day}.", symbol=name, day=str(day))
    return past


def task_of(
    predictor: KronosPredictor, past: Past, settings: WalkSettings, calendar: pd.DatetimeIndex | None = None
) -> Task:
    """Return the task that draws the paths of a forecast again: the same ones for the same weights."""
    return predictor.task(
        past.values,
        past.times,
        next_times(past.times, settings.horizon, calendar),
        samples=settings.samples,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        seed=settings.seed,
        name=past.seen.name,
    )
