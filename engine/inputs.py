"""Checks, before anything is computed, of a caller's candles, their times and the times to forecast."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from engine.arguments import is_bool, type_name
from engine.candles import FEATURES, PRICES
from engine.errors import InputError

Times = Sequence[object] | pd.Series | pd.DatetimeIndex
MIN_HISTORY = 2  # candles; a single one has no deviation to scale by
MAX_VALUE = 1e50  # of a price, volume or amount: the squares of larger values overflow
MAX_LISTED = 5  # names in an error


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


def check_all_series(
    df_list: object, x_timestamp_list: object, y_timestamp_list: object, *, positive: bool = False
) -> list[Series]:
    """Return `check_series` of each series; `InputError` unless all three are lists of equal length."""
    lists = {"df_list": df_list, "x_timestamp_list": x_timestamp_list, "y_timestamp_list": y_timestamp_list}
    parts: list[Sequence[Any]] = []
    for name, value in lists.items():
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise InputError(f"{name} is of type {type_name(value)}: pass a list with one entry for each series.")
        parts.append(value)
    frames, x, y = map(len, parts)
    if not frames == x == y:
        raise InputError(
            f"{frames} data frames, {x} x_timestamp and {y} y_timestamp: pass one of each for every series."
        )
    names = ["the series"] if frames == 1 else [f"series {i}" for i in range(frames)]
    return [
        check_series(*arguments, name=name, positive=positive) for name, *arguments in zip(names, *parts, strict=True)
    ]


def check_series(
    df: pd.DataFrame, x_timestamp: Times, y_timestamp: Times, *, name: str = "the series", positive: bool = False
) -> Series:
    """Return the candles in the model's column order, with volume and amount filled as the tokenizer expects them.

    A missing amount is volume times the mean price; missing volume is zero, and then a missing amount is zero too.

    Parameters
    ----------
    name
        The series' name in errors.
    positive
        Refuse prices at or below zero.

    Raises
    ------
    InputError
        Names the invalid column, row or timestamp.
    """
    present = _check_columns(df, name)
    values = _convert_columns(df[present], name)
    if positive:
        _refuse(values[list(PRICES)] <= 0, values, name, "a price must be above zero")
    times = check_times(x_timestamp, f"x_timestamp of {name}")
    future = check_times(y_timestamp, f"y_timestamp of {name}")
    if len(times) != len(values):
        raise InputError(f"x_timestamp has {len(times)} entries and {name} {len(values)} candles: pass one for each.")
    if len(values) < MIN_HISTORY:
        raise InputError(
            f"{_capitalise(name)} has {len(values)} candles; a forecast needs at least {MIN_HISTORY} of history."
        )
    if len(future) and str(future.tz) != str(times.tz):
        raise InputError(f"x_timestamp of {name} has the time zone {times.tz} and y_timestamp {future.tz}: use one.")
    if len(future) and future[0] <= times[-1]:
        raise InputError(f"y_timestamp of {name} starts at {future[0]}, not after the last candle at {times[-1]}.")
    if "volume" not in values:
        values["volume"] = 0.0
    if "amount" not in values:
        values["amount"] = values["volume"] * values[list(PRICES)].mean(axis=1)
    absent = frozenset(FEATURES) - set(present) if "volume" not in present else frozenset()
    return Series(values[list(FEATURES)].to_numpy(np.float64), times, future, absent)


def check_times(timestamps: Times, name: str) -> pd.DatetimeIndex:
    """Return timestamps as an index in their own time zone; `InputError` unless they strictly ascend."""
    times = _list_times(timestamps, name)
    number = _find_number(times)
    if number is not None:
        raise InputError(f"{name} holds numbers such as {number}, not times: convert them with pandas.to_datetime.")
    try:
        index = pd.DatetimeIndex(times)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{name} holds something that is not a time ({error}): convert it with pandas.to_datetime, in one zone."
        ) from error
    if index.hasnans:
        raise InputError(f"{name} has no time at position {int(np.flatnonzero(index.isna())[0])}.")
    if not (index.is_monotonic_increasing and index.is_unique):
        at = int(np.flatnonzero(np.diff(index.asi8) <= 0)[0]) + 1
        raise InputError(f"{name} does not ascend: {index[at]} at position {at} follows {index[at - 1]}.")
    return index


def _check_columns(df: object, name: str) -> list[str]:
    """Return the features of a frame: all prices, and none of them twice."""
    if not isinstance(df, pd.DataFrame):
        raise InputError(
            f"{_capitalise(name)} is of type {type_name(df)}: pass a pandas.DataFrame with columns {', '.join(PRICES)}."
        )
    if df.columns.nlevels > 1:
        raise InputError(_explain_levels(df.columns, name))
    missing = [column for column in PRICES if column not in df.columns]
    if missing:
        lowered = {str(column).strip().lower() for column in df.columns}
        remedy = " Rename them with df.rename(columns=str.lower)." if lowered.issuperset(PRICES) else ""
        raise InputError(f"Columns {', '.join(missing)} are missing in {name}; it has {_list(df.columns)}.{remedy}")
    for column in FEATURES:
        count = int((df.columns == column).sum())
        if count > 1:
            raise InputError(f"Column {column} is there {count} times in {name}: keep one of them.")
    return [column for column in FEATURES if column in df.columns]


def _explain_levels(columns: pd.Index[Any], name: str) -> str:
    """Return the error for columns of several levels, as a download of several tickers has them."""
    levels = [pd.unique(columns.get_level_values(level)) for level in range(columns.nlevels)]
    others = [i for i, level in enumerate(levels) if "close" not in {str(value).lower() for value in level}]
    if len(levels) != 2 or len(others) != 1:
        return f"The columns of {name} have {len(levels)} levels: reduce them to {', '.join(PRICES)}."
    level = others[0]
    tickers = levels[level]
    if len(tickers) == 1:
        return (
            f"The columns of {name} have a second level with the ticker {tickers[0]}: remove it with "
            f"df.droplevel({level}, axis=1)."
        )
    return (
        f"{_capitalise(name)} holds {len(tickers)} tickers ({_list(tickers)}): forecast each separately, for example "
        f"df.xs({tickers[0]!r}, axis=1, level={level})."
    )


def _convert_columns(df: pd.DataFrame, name: str) -> pd.DataFrame:
    columns = {str(column): _convert_column(df[column], f"{column} of {name}") for column in df.columns}
    values = pd.DataFrame(columns, dtype=np.float64)
    rows = df.reset_index(drop=True)
    _refuse(~values.map(math.isfinite), rows, name, "a finite number is needed")
    _refuse(values.abs() > MAX_VALUE, rows, name, f"numbers may be at most {MAX_VALUE:g}")
    return values


def _convert_column(column: pd.Series[Any], name: str) -> np.ndarray:
    """Return a column as float64, NaN where a cell is not a number."""
    if types.is_object_dtype(column.dtype):
        column = column.where(column.map(lambda cell: isinstance(cell, Real | Decimal | str) and not is_bool(cell)))
    elif types.is_bool_dtype(column.dtype) or not (
        types.is_any_real_numeric_dtype(column.dtype) or types.is_string_dtype(column.dtype)
    ):
        raise InputError(f"{name} is of type {column.dtype}, not numbers: convert it first.")
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _refuse(bad: pd.DataFrame, rows: pd.DataFrame, name: str, reason: str) -> None:
    """Raise an error for the first cell of `bad` that is true; its value is taken from `rows`."""
    if bad.to_numpy().any():
        row, column = (int(axis[0]) for axis in np.nonzero(bad.to_numpy()))
        label = bad.columns[column]
        raise InputError(f"{label} of {name} is {rows[label].iloc[row]} at position {row}: {reason}.")


def _list_times(timestamps: Any, name: str) -> pd.Series[Any]:
    """Return possible times as a series; `InputError` unless they are a list of single values."""
    single = isinstance(timestamps, str | bytes | Mapping | Set) or not isinstance(timestamps, Iterable)
    if single or getattr(timestamps, "ndim", 1) != 1 or isinstance(timestamps, pd.MultiIndex):
        raise InputError(
            f"{name} is of type {type_name(timestamps)}: pass a list, a Series or a DatetimeIndex with one time for "
            "each candle."
        )
    try:
        return pd.Series(timestamps if hasattr(timestamps, "dtype") else list(timestamps))
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is not a list of times: {error}") from error


def _find_number(times: pd.Series[Any]) -> object:
    """Return the first number among possible times, which pandas would read as nanoseconds; None without one."""
    if len(times) and types.is_numeric_dtype(times.dtype):
        return times.iloc[0]
    if types.is_object_dtype(times.dtype):
        return next((cell for cell in times if isinstance(cell, Real | Decimal) and cell == cell), None)
    return None


def _list(names: Iterable[object]) -> str:
    listed = [str(name) for name in names]
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    return ", ".join(listed[:MAX_LISTED]) + more if listed else "none"


def _capitalise(name: str) -> str:
    return name[:1].upper() + name[1:]
