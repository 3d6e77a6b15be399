"""The signals of a universe day by day: each from candles up to its day, and from nothing after it.

The signal of day t uses the candle of t, so it is known after the close and traded on t + 1.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import FEATURES, PRICES
from engine.predictor import KronosPredictor
from training.errors import ConfigError, DataError, RunError, remark
from training.portfolio.signals import frame, scores
from training.run import unwritable

OnStep = Callable[[int, int], object]
TOGETHER = 64  # series that are drawn at once, or those of one day


@dataclass(frozen=True)
class WalkSettings:
    """How forecasts are made.

    Parameters
    ----------
    lookback
        Candles of history; an instrument with fewer has no signal yet.
    horizon
        Candles to forecast.
    every
        Days from one signal to the next.
    samples, temperature, top_k, top_p, seed
        As the predictor takes them. Every series is drawn with the one seed, so that each forecast can be made again
        by itself.

    Raises
    ------
    ConfigError
        A count is below 1; names the field.
    """

    lookback: int = 90
    horizon: int = 10
    every: int = 1
    samples: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for field, least in {"lookback": 2, "horizon": 1, "every": 1, "samples": 1}.items():
            if getattr(self, field) < least:
                raise ConfigError(
                    remark("{field}={value} must be {lowest} or more.",
                           field=field, value=getattr(self, field), lowest=least)
                )  # fmt: skip


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
        Candles without a price count as suspended: they are passed over, and such a day has no signal.
    calendar
        Trading days, those to come included, as an exchange announces them. None: times to come are continued from
        those of the history, on the weekdays that it has.
    folder
        Where each day's signals are kept, so that a walk which was broken off goes on. A day is computed anew where
        its candles, the settings or the model have changed.
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
        `folder` cannot be written to.
    """
    candles = {name: _Candles.of(name, universe[name]) for name in sorted(universe)}
    days = _days(candles, start, end, settings.every)
    kept = _Kept(folder, f"{predictor.digest} {asdict(settings)}")
    found: dict[pd.Timestamp, pd.DataFrame] = {}
    queue: list[_Day] = []
    for day in days:
        one = _Day.of(day, candles, settings, calendar)
        known = kept.read(one) if one.pasts else frame({})
        if known is None:
            queue.append(one)
        else:
            found[day] = known
        if queue and (day == days[-1] or sum(len(one.pasts) for one in queue) >= TOGETHER):
            for one, drawn in zip(queue, _draw(predictor, queue, settings), strict=True):
                kept.write(one, drawn)
                found[one.day] = drawn
            queue.clear()
        if on_step:
            on_step(len(found), len(days))
    return pd.concat([found[day] for day in days])


def next_times(past: pd.DatetimeIndex, count: int, calendar: pd.DatetimeIndex | None = None) -> pd.DatetimeIndex:
    """Return the `count` times that follow `past`: those of a calendar that has as many, else continued from `past`.

    Days go on over the weekdays that `past` has; shorter candles at the most frequent step.
    """
    last = past[-1]
    announced = calendar[calendar > last][:count] if calendar is not None else past[:0]
    if len(announced) == count:
        return announced
    step = pd.Series(past).diff().mode().iloc[0]
    if step < pd.Timedelta(days=1) or step > pd.Timedelta(days=4):
        return pd.DatetimeIndex([last + step * (place + 1) for place in range(count)])
    ahead = pd.date_range(last, periods=7 * count + 1, freq="D")[1:]
    return ahead[ahead.day_of_week.isin(past.day_of_week.unique())][:count]


@dataclass(frozen=True, eq=False)
class _Candles:
    times: pd.DatetimeIndex
    values: pd.DataFrame

    @classmethod
    def of(cls, name: str, candles: pd.DataFrame) -> _Candles:
        """Return candles that have prices, checked."""
        prices = candles[list(PRICES)].to_numpy(np.float64)
        there = np.isfinite(prices).all(axis=1)
        times = pd.DatetimeIndex(candles["timestamp"])
        if not (times.is_monotonic_increasing and times.is_unique):
            raise DataError(remark("{symbol}: candles must ascend in time, one at each.", symbol=name))
        if (prices[there] <= 0).any():
            raise DataError(remark("{symbol}: a price is not above zero.", symbol=name))
        columns = [column for column in FEATURES if column in candles]
        values = candles.loc[there, columns].astype(np.float64).reset_index(drop=True).fillna(0.0)
        return cls(times[there], values)

    def until(self, day: pd.Timestamp, lookback: int) -> _Candles | None:
        """Return the last `lookback` candles at the end of `day`; None where there are fewer, or none of that day."""
        known = int(self.times.searchsorted(day, side="right"))
        if known < lookback or self.times[known - 1] != day:
            return None
        return _Candles(self.times[known - lookback : known], self.values.iloc[known - lookback : known])


@dataclass(frozen=True, eq=False)
class _Day:
    day: pd.Timestamp
    pasts: Mapping[str, _Candles]
    futures: Mapping[str, pd.DatetimeIndex]

    @classmethod
    def of(
        cls,
        day: pd.Timestamp,
        candles: Mapping[str, _Candles],
        settings: WalkSettings,
        calendar: pd.DatetimeIndex | None,
    ) -> _Day:
        """Return all that the forecasts of a day may see."""
        seen = {name: one.until(day, settings.lookback) for name, one in candles.items()}
        pasts = {name: past for name, past in seen.items() if past is not None}
        return cls(day, pasts, {n: next_times(past.times, settings.horizon, calendar) for n, past in pasts.items()})

    def digest(self, how: str) -> str:
        """Return the SHA-256 of what the signals depend on."""
        sha = hashlib.sha256(how.encode())
        for name, past in self.pasts.items():
            sha.update(f"{name} {list(past.values)}".encode())
            for part in (past.times.as_unit("ns").asi8, self.futures[name].as_unit("ns").asi8, past.values.to_numpy()):
                sha.update(np.ascontiguousarray(part).tobytes())
        return sha.hexdigest()


def _days(
    candles: Mapping[str, _Candles], start: pd.Timestamp | None, end: pd.Timestamp | None, every: int
) -> Sequence[pd.Timestamp]:
    times = pd.DatetimeIndex(sorted(set().union(*(one.times for one in candles.values()))))
    first = times.min() if start is None else start
    last = times.max() if end is None else end
    days = times[(times >= first) & (times <= last)][::every]
    if not len(days):
        raise DataError(remark("No instrument has a candle from {start} to {end}.", start=str(first), end=str(last)))
    return list(days)


def _draw(predictor: KronosPredictor, days: Sequence[_Day], settings: WalkSettings) -> list[pd.DataFrame]:
    """Return the signals of some days, forecast together."""
    keys = [(one, name) for one in days for name in one.pasts]
    drawn = predictor.forecast_batch(
        [one.pasts[name].values for one, name in keys],
        [one.pasts[name].times for one, name in keys],
        [one.futures[name] for one, name in keys],
        samples=settings.samples,
        temperature=settings.temperature,
        top_k=settings.top_k,
        top_p=settings.top_p,
        seed=settings.seed,
    )
    rows = {
        (one.day, name): scores(forecast.paths, forecast.last_close)
        for (one, name), forecast in zip(keys, drawn, strict=True)
    }
    return [frame({(one.day, name): rows[one.day, name] for name in one.pasts}) for one in days]


class _Kept:
    """A folder with one file a day, named by what it was made from: another model or other candles leave it aside."""

    def __init__(self, folder: Path | None, how: str) -> None:
        self._folder, self._how = folder, how

    def read(self, one: _Day) -> pd.DataFrame | None:
        """Return the signals of a day, None where they are not there."""
        path = self._path(one)
        return pd.read_parquet(path) if path is not None and path.is_file() else None

    def write(self, one: _Day, found: pd.DataFrame) -> None:
        """Keep the signals of a day, whole or not at all."""
        path = self._path(one)
        if path is None:
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            found.to_parquet(draft)
            draft.replace(path)
        except OSError as error:
            if draft.exists():
                draft.unlink()
            raise RunError(unwritable(path.parent, error)) from error

    def _path(self, one: _Day) -> Path | None:
        name = f"{one.day:%Y%m%dT%H%M%S}-{one.digest(self._how)[:16]}.parquet"
        return None if self._folder is None else self._folder / name
