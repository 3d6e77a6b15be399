"""Input of the signals of a day: an `AsOf` of each instrument, and the times to forecast."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import tzinfo

import numpy as np
import pandas as pd

from engine.candles import FEATURES, PRICES
from training.errors import ConfigError, DataError
from training.evaluation.asof import AsOf


@dataclass(frozen=True)
class WalkSettings:
    """Settings of the forecasts; raises ConfigError if a count is too small, with the name of the field."""

    lookback: int = 90  # candles of history; an instrument with fewer has no signal
    horizon: int = 10  # candles to forecast
    every: int = 1  # days from one signal to the next
    samples: int = 20
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    driftless: bool = False  # zero-drift forecasts, see `engine.forecast.Forecast.driftless`
    seed: int = 0  # of every series, so that each forecast can be repeated by itself

    @property
    def key(self) -> str:
        """Return what identifies the signals; `driftless` is named only where it is on: older files stay valid."""
        fields = asdict(self)
        return str(fields if self.driftless else {name: fields[name] for name in fields if name != "driftless"})

    def __post_init__(self) -> None:
        for field, least in {"lookback": 2, "horizon": 1, "every": 1, "samples": 1}.items():
            if getattr(self, field) < least:
                raise ConfigError(
                    "{field}={value} must be {lowest} or more.", field=field, value=getattr(self, field), lowest=least
                )


@dataclass(frozen=True, eq=False)
class Past:
    """The history of one forecast: the last `lookback` rows of `seen`, with their columns and time zone."""

    seen: AsOf
    columns: tuple[str, ...]
    zone: tzinfo | None
    lookback: int

    @property
    def values(self) -> pd.DataFrame:
        """Return the candles, the oldest first."""
        return pd.DataFrame(self.seen.last(self.lookback), columns=list(self.columns))

    @property
    def times(self) -> pd.DatetimeIndex:
        """Return their times."""
        return pd.to_datetime(self.seen.last_times(self.lookback), utc=True).tz_convert(self.zone)


@dataclass(frozen=True, eq=False)
class Candles:
    """The candles of an instrument that have prices; signals are made from `until` of a day only."""

    name: str
    columns: tuple[str, ...]
    times: pd.DatetimeIndex
    nanoseconds: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, name: str, candles: pd.DataFrame) -> Candles:
        """Return checked candles; raises DataError if times do not ascend, or a price is not above zero."""
        prices = candles[list(PRICES)].to_numpy(np.float64)
        priced = np.isfinite(prices).all(axis=1)
        times = pd.DatetimeIndex(candles["timestamp"])
        if not (times.is_monotonic_increasing and times.is_unique):
            raise DataError("{symbol}: candles must ascend in time, one at each time.", symbol=name)
        if (prices[priced] <= 0).any():
            raise DataError("{symbol}: a price is not above zero.", symbol=name)
        columns = tuple(column for column in FEATURES if column in candles)
        values = candles.loc[priced, list(columns)].astype(np.float64).fillna(0.0)
        times = times[priced]
        return cls(name, columns, times, times.as_unit("ns").asi8, values.to_numpy())

    def until(self, day: pd.Timestamp, lookback: int) -> Past | None:
        """Return the history at the end of `day`; None if it is too short, or has no candle of that day."""
        seen = AsOf(self.nanoseconds, self.values, day.value, self.name)
        if len(seen) < lookback or seen.last_times(1)[0] != seen.cutoff:
            return None
        return Past(seen, self.columns, self.times.tz, lookback)


@dataclass(frozen=True, eq=False)
class Day:
    """The input of the forecasts of a day, by instrument."""

    day: pd.Timestamp
    pasts: Mapping[str, Past]
    futures: Mapping[str, pd.DatetimeIndex]

    @classmethod
    def of(
        cls,
        day: pd.Timestamp,
        candles: Mapping[str, Candles],
        settings: WalkSettings,
        calendar: pd.DatetimeIndex | None,
    ) -> Day:
        """Return the instruments with enough history and a candle of the day."""
        seen = {name: own.until(day, settings.lookback) for name, own in candles.items()}
        pasts = {name: past for name, past in seen.items() if past is not None}
        return cls(day, pasts, {n: next_times(past.times, settings.horizon, calendar) for n, past in pasts.items()})

    def digest(self, how: str) -> str:
        """Return the SHA-256 of all that the signals depend on; `how` is model and settings."""
        sha = hashlib.sha256(how.encode())
        for name, past in self.pasts.items():
            sha.update(f"{name} {list(past.columns)}".encode())
            for part in (past.times.as_unit("ns").asi8, self.futures[name].as_unit("ns").asi8, past.values.to_numpy()):
                sha.update(np.ascontiguousarray(part).tobytes())
        return sha.hexdigest()


def next_times(past: pd.DatetimeIndex, count: int, calendar: pd.DatetimeIndex | None = None) -> pd.DatetimeIndex:
    """Return the `count` times after `past`: those of a calendar if it has as many, else extrapolated.

    Days are extrapolated over the weekdays of `past`; shorter candles at the most frequent step.
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
