"""The candles of one symbol, and the check of their times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.errors import DataError


@dataclass(frozen=True, eq=False)
class SymbolCandles:
    """The candles of one symbol.

    `frame` has the columns timestamp (naive, ascending), open, high, low, close; if known volume and amount, split, and
    piece, a number that changes where the candles are not continuous.
    """

    group: str  # market and interval, or another unit that is sampled by itself
    symbol: str
    frame: pd.DataFrame
    done: int = 0  # files, series or instruments read before it
    total: int = 1


def check_times(frame: pd.DataFrame, symbol: str, where: str) -> None:
    """Raise a DataError that names both rows if two candles have one time, or a later one comes first.

    `frame` has the columns timestamp and row, the number by which people find a candle.
    """
    times = frame["timestamp"].to_numpy()
    wrong = np.flatnonzero(times[1:] <= times[:-1])
    if not len(wrong):
        return
    place = int(wrong[0])
    before, row = (int(frame["row"].iloc[place + k]) for k in (0, 1))
    earlier, later = (str(pd.Timestamp(time)) for time in times[place : place + 2])
    values = {"where": where, "symbol": symbol, "before": before, "row": row, "time": later}
    if earlier == later:
        raise DataError(
            "{where}: rows {before} and {row} of {symbol} have the same time {time}: keep one candle per time.",
            **values,
        )
    raise DataError(
        "{where}: row {row} of {symbol} ({time}) is before row {before} ({earlier}): sort the candles by time.",
        **values,
        earlier=earlier,
    )
