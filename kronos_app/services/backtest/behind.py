"""The forecast behind a trade: its signal and rank, and its paths drawn again.

Backtests do not save paths, but everything to draw them again. Drawn forecasts are saved in the backtest's folder. If
the model has other weights by now, nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import PRICES
from kronos_app.errors import Conflict, NotFound
from kronos_app.i18n import text
from kronos_app.jobs import OnStep
from kronos_app.services.backtest.universe import read_universe
from kronos_app.services.backtest.worker import walk_settings
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.training_errors import training_errors
from training.errors import Unreadable
from training.saved import load_json

if TYPE_CHECKING:
    from engine import Forecast
    from engine.scheduler import Scheduler
    from kronos_app.services.backtest.run import Backtest, BacktestFolders
    from kronos_app.services.models.service import ModelService

KIND = "behind"
STAMP = "%Y%m%dT%H%M%S"  # of a day in the names of files


@dataclass(frozen=True)
class Behind:
    """A forecast that was traded by, with the actual candles.

    Attributes
    ----------
    day
        Day of the signal: the last candle of the history.
    score, rank, among
        The signal that was traded by, its rank (1 is the highest) and the number of instruments; score and rank are
        None where the signal is NaN.
    drawn
        The score of the paths that were drawn again.
    history, actual
        Candles by time, before and after the cutoff.
    bands
        By time: median, and low_LEVEL, high_LEVEL of the close for the levels 50, 80, 90 and 95.
    """

    instrument: str
    day: pd.Timestamp
    score: float | None
    rank: int | None
    among: int
    drawn: float | None
    history: pd.DataFrame
    actual: pd.DataFrame
    bands: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Return the forecast as the API has it."""
        fields = {name: getattr(self, name) for name in ("instrument", "score", "rank", "among", "drawn")}
        tables = {name: _columns(getattr(self, name)) for name in ("history", "actual", "bands")}
        return {**fields, "day": self.day.isoformat(), **tables}


class BehindWorker:
    """Draws forecasts again."""

    def __init__(self, folders: BacktestFolders, models: ModelService, scheduler: Scheduler) -> None:
        self._folders = folders
        self._models = models
        self._scheduler = scheduler

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Draw and save a forecast and return the backtest's id; `on_step` may raise to cancel.

        Raises Conflict (the model has other weights now) or Unavailable (the backtest's folder cannot be written to).
        """
        from training.portfolio.walk import past_of, stored_signals, task_of
        from training.run.folder import write_json

        backtest = self._folders.get(str(job["backtest"]))
        name, day, request = str(job["instrument"]), pd.Timestamp(job["day"]), backtest.request
        on_step(0, 0)
        with training_errors(), engine_errors(request.model):
            predictor, settings = self._models.get(request.model), walk_settings(request)
            universe = read_universe(backtest.path / "candles", [member.name for member in backtest.members])
            scores = stored_signals(backtest.path / "signals", predictor.digest, universe, settings, day)
            if scores is None:
                raise Conflict(
                    "model_changed",
                    text("{model} has other weights than when this backtest was made: its forecast cannot be drawn "
                         "again.", model=request.model),
                    text("Run the backtest again to see the forecasts of the present model."),
                )  # fmt: skip
            past = past_of(name, universe[name], request.lookback, day)
            forecast = self._scheduler.forecast(predictor, task_of(predictor, past, settings), on_step)
            forecast = forecast.driftless() if settings.driftless else forecast
            write_json(_path(backtest, name, day), _saved_fields(scores[request.signal], (day, name), forecast))
        return backtest.id


def signal_day(backtest: Backtest, instrument: str, day: pd.Timestamp) -> pd.Timestamp:
    """Return the day of the newest signal before a day, by which an instrument was traded or held.

    Raises NotFound (there is no such instrument, or no forecast of it was made on the day of that signal).
    """
    earlier = [path for path in (backtest.path / "signals").glob("*.parquet") if _day_of(path) < day]
    if earlier and instrument in {member.name for member in backtest.members}:
        newest = max(earlier, key=lambda path: (_day_of(path), path.stat().st_mtime_ns))
        if (_day_of(newest), instrument) in pd.read_parquet(newest).index:
            return _day_of(newest)
    date = f"{day:%Y-%m-%d}" if day == day.normalize() else f"{day:%Y-%m-%d %H:%M}"
    raise NotFound(
        "no_signal",
        text("There is no forecast of {symbol} behind {day}.", symbol=instrument[:60], day=date),
        text("An instrument without a candle on the day of a signal has no forecast and ranks last."),
    )


def read_behind(backtest: Backtest, instrument: str, day: pd.Timestamp) -> Behind | None:
    """Return the forecast of an instrument on the day of a signal, None until it is drawn again."""
    from training.portfolio.walk import past_of

    path = _path(backtest, instrument, day)
    if not path.exists():
        return None
    try:
        fields = load_json(path)
    except Unreadable:  # logged, and drawn again
        return None
    bands = pd.DataFrame(fields.pop("bands"), pd.DatetimeIndex(fields.pop("times")).as_unit("ns"))
    candles = read_universe(backtest.path / "candles", [instrument])[instrument]
    with training_errors():
        past = past_of(instrument, candles, backtest.request.lookback, day)
    later = candles[(candles["timestamp"] > day) & (candles["timestamp"] <= bands.index[-1])].dropna(subset=PRICES)
    history = past.values.set_index(past.times)
    return Behind(instrument, day, history=history, actual=later.set_index("timestamp"), bands=bands, **fields)


def _saved_fields(scores: pd.Series[float], place: tuple[pd.Timestamp, str], forecast: Forecast) -> dict[str, Any]:
    """Return the fields of a saved forecast: the score that was traded by, and the bands of the close."""
    from engine.candles import CLOSE
    from training.evaluation.records import LEVEL_NAMES
    from training.evaluation.scores import bands
    from training.portfolio.signals import signals_of

    closes = forecast.paths[..., CLOSE]
    low, high = bands(closes[None], drawn=True)
    columns = {"median": np.median(closes, axis=0)}
    for number, level in enumerate(LEVEL_NAMES):
        columns |= {f"low_{level}": low[number, 0], f"high_{level}": high[number, 0]}
    rank = scores.rank(ascending=False, method="min")[place]
    return {
        "score": _number(scores[place]),
        "rank": None if np.isnan(rank) else int(rank),
        "among": int(scores.notna().sum()),
        "drawn": _number(signals_of(forecast.paths, forecast.last_close)[str(scores.name)]),
        "times": [time.isoformat() for time in forecast.timestamps],
        "bands": {name: values.tolist() for name, values in columns.items()},
    }


def _path(backtest: Backtest, instrument: str, day: pd.Timestamp) -> Path:
    return backtest.path / f"behind-{day:{STAMP}}-{instrument}.json"


def _day_of(path: Path) -> pd.Timestamp:
    return pd.to_datetime(path.name.partition("-")[0], format=STAMP)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "timestamps": [time.isoformat() for time in pd.DatetimeIndex(frame.index)],
        **{str(name): frame[name].tolist() for name in frame},
    }
