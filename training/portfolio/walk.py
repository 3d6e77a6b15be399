"""The signals of a universe day by day, each from candles up to its day.

The signal of day t uses the candle of t, so it is known after the close and traded on t + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from engine.batch import Task
from engine.predictor import KronosPredictor
from training.errors import DataError
from training.evaluation.files import write_table
from training.portfolio.days import Candles, Day, Past, WalkSettings, next_times
from training.portfolio.signals import frame, signals_of

__all__ = ["WalkSettings", "signals"]

OnStep = Callable[[int, int], object]
TOGETHER = 64  # series that are drawn at once, or those of one day


def signals(
    predictor: KronosPredictor,
    universe: Mapping[str, pd.DataFrame],
    settings: WalkSettings,
    *,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
    calendar: pd.DatetimeIndex | None = None,
    folder: Path | None = None,
    on_step: OnStep | None = None,
) -> pd.DataFrame:
    """Return every signal of every instrument on the days from `start` to `end`.

    Parameters
    ----------
    universe
        Candles by instrument: column timestamp, ascending, open, high, low, close, optionally volume and amount.
        Candles without a price are skipped as suspended; such a day has no signal.
    calendar
        Trading days, future ones included; None: future times are extrapolated from the history.
    folder
        Where each day's signals are stored, so that an interrupted walk resumes. A day is computed again when its
        candles, the settings or the model have changed.
    on_step
        Called after each day with (done, total); may raise to cancel.

    Returns
    -------
    pandas.DataFrame
        By (datetime, instrument), the columns of `signals.SIGNALS`.

    Raises
    ------
    DataError
        Candles cannot be used, or there are none in the range; names the instrument.
    RunError
        `folder` cannot be written.
    """
    candles = {name: Candles.of(name, universe[name]) for name in sorted(universe)}
    days = _days(candles, start, end, settings.every)
    panels: dict[pd.Timestamp, pd.DataFrame] = {}
    queue: list[Day] = []
    for time in days:
        day = Day.of(time, candles, settings, calendar)
        panel = _read(folder, predictor.digest, settings, day)
        if panel is None:
            queue.append(day)
        else:
            panels[time] = panel
        if queue and (time == days[-1] or sum(len(waiting.pasts) for waiting in queue) >= TOGETHER):
            panels |= _draw(predictor, queue, settings, folder)
            queue.clear()
        if on_step:
            on_step(len(panels), len(days))
    return pd.concat([panels[time] for time in days])


def stored_signals(
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
    path = _stored_path(folder, weights, settings, Day.of(day, candles, settings, calendar))
    return pd.read_parquet(path) if path.is_file() else None


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


def _days(
    candles: Mapping[str, Candles], start: pd.Timestamp | None, end: pd.Timestamp | None, every: int
) -> Sequence[pd.Timestamp]:
    times = pd.DatetimeIndex(sorted(set().union(*(own.times for own in candles.values()))))
    first = times.min() if start is None else start
    last = times.max() if end is None else end
    days = times[(times >= first) & (times <= last)][::every]
    if not len(days):
        raise DataError("No instrument has a candle from {start} to {end}.", start=str(first), end=str(last))
    return list(days)


def _read(folder: Path | None, weights: str, settings: WalkSettings, day: Day) -> pd.DataFrame | None:
    """Return the signals of a day that are stored in a folder, or empty ones for no instrument; None: draw them."""
    if not day.pasts:
        return frame({})
    path = _stored_path(folder, weights, settings, day) if folder else None
    return pd.read_parquet(path) if path and path.is_file() else None


def _draw(
    predictor: KronosPredictor, days: Sequence[Day], settings: WalkSettings, folder: Path | None
) -> dict[pd.Timestamp, pd.DataFrame]:
    """Return the signals of some days, forecast in one batch and stored in a folder."""
    keys = [(day, name) for day in days for name in day.pasts]
    forecasts = predictor.forecast_batch(
        [day.pasts[name].values for day, name in keys],
        [day.pasts[name].times for day, name in keys],
        [day.futures[name] for day, name in keys],
        samples=settings.samples,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        seed=settings.seed,
    )
    if settings.driftless:
        forecasts = [forecast.driftless() for forecast in forecasts]
    rows = {
        (day.day, name): signals_of(forecast.paths, forecast.last_close)
        for (day, name), forecast in zip(keys, forecasts, strict=True)
    }
    panels = {day.day: frame({(day.day, name): rows[day.day, name] for name in day.pasts}) for day in days}
    if folder:
        for day in days:
            write_table(panels[day.day], _stored_path(folder, predictor.digest, settings, day))
    return panels


def _stored_path(folder: Path, weights: str, settings: WalkSettings, day: Day) -> Path:
    """Return the file of a day's signals, named by the digest of all that they depend on."""
    return folder / f"{day.day:%Y%m%dT%H%M%S}-{day.digest(f'{weights} {settings.key}')[:16]}.parquet"
