"""What a caller hands in, checked once before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.candles import FEATURES, PRICES
from engine.errors import InputError

Times = Sequence[object] | pd.Series | pd.DatetimeIndex


@dataclass(frozen=True)
class Series:
    """Checked history (T, 6) float64, its times and the times to forecast; `absent` names features filled with zero."""

    values: np.ndarray
    times: pd.DatetimeIndex
    future: pd.DatetimeIndex
    absent: frozenset[str]

    def last(self, rows: int) -> Series:
        """Return the series with only its last `rows` candles as history."""
        return replace(self, values=self.values[-rows:], times=self.times[-rows:])


def check_series(
    df: pd.DataFrame,
    x_timestamp: Times,
    y_timestamp: Times,
    *,
    name: str = "the series",
    positive: bool = False,
) -> Series:
    """Return the candles in the model's order, with volume and amount filled as the tokenizer expects them.

    A missing amount is volume times the mean price; missing volume is zero, and so is the amount unless it is given.

    Parameters
    ----------
    positive
        Refuse prices at or below zero.

    Raises
    ------
    InputError
        Naming the column, row or timestamp at fault.
    """
    missing = [column for column in PRICES if column not in df.columns]
    if missing:
        raise InputError(
            f"Columns {', '.join(missing)} are missing in {name}; it has {', '.join(map(str, df.columns))}."
        )
    given = [column for column in FEATURES if column in df.columns]
    values = _numbers(df[given], name)
    if positive:
        _refuse(values[list(PRICES)] <= 0, values, name, "a price must be above zero")
    times = check_times(x_timestamp, f"x_timestamp of {name}")
    future = check_times(y_timestamp, f"y_timestamp of {name}")
    if len(times) != len(values):
        raise InputError(f"x_timestamp has {len(times)} entries and {name} {len(values)} candles: give one for each.")
    if len(values) < 2:
        raise InputError(f"{name.capitalize()} has {len(values)} candles; a forecast needs at least 2 of history.")
    if len(future) and str(future.tz) != str(times.tz):
        raise InputError(f"x_timestamp of {name} has the time zone {times.tz} and y_timestamp {future.tz}: use one.")
    if len(future) and future[0] <= times[-1]:
        raise InputError(f"y_timestamp of {name} starts at {future[0]}, not after the last candle at {times[-1]}.")
    if "volume" not in values:
        values["volume"] = 0.0
    if "amount" not in values:
        values["amount"] = values["volume"] * values[list(PRICES)].mean(axis=1)
    absent = frozenset(FEATURES) - set(given) if "volume" not in given else frozenset()
    return Series(values[list(FEATURES)].to_numpy(np.float64), times, future, absent)


def check_times(timestamps: Times, name: str) -> pd.DatetimeIndex:
    """Return timestamps as an index, in the zone they are written in; `InputError` unless they strictly ascend."""
    given = pd.Series(timestamps)
    if len(given) and pd.api.types.is_numeric_dtype(given):
        raise InputError(
            f"{name} holds numbers such as {given.iloc[0]}, not times: convert them with pandas.to_datetime."
        )
    try:
        index = pd.DatetimeIndex(given)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} holds something that is not a time: {error}") from error
    if index.hasnans:
        raise InputError(f"{name} has no time at position {int(np.flatnonzero(index.isna())[0])}.")
    if not (index.is_monotonic_increasing and index.is_unique):
        at = int(np.flatnonzero(np.diff(index.asi8) <= 0)[0]) + 1
        raise InputError(f"{name} does not ascend: {index[at]} at position {at} follows {index[at - 1]}.")
    return index


def _numbers(df: pd.DataFrame, name: str) -> pd.DataFrame:
    values: pd.DataFrame = df.apply(pd.to_numeric, errors="coerce").astype(np.float64).reset_index(drop=True)
    _refuse(~values.map(math.isfinite), df.reset_index(drop=True), name, "a finite number is needed")
    return values


def _refuse(bad: pd.DataFrame, shown: pd.DataFrame, name: str, why: str) -> None:
    if bad.to_numpy().any():
        row, column = (int(axis[0]) for axis in np.nonzero(bad.to_numpy()))
        label = bad.columns[column]
        raise InputError(f"{label} of {name} is {shown[label].iloc[row]} at position {row}: {why}.")
