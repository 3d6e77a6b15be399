"""The candles of one symbol, and what every source checks of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.errors import DataError, Message, message


@dataclass(frozen=True, eq=False)
class SymbolCandles:
    """The candles of one symbol.

    Attributes
    ----------
    group
        Market and interval, or whatever else is trained on in equal parts.
    frame
        Columns timestamp (naive, ascending), open, high, low, close; where known volume and amount, split, and piece, a
        number that changes where the candles do not follow one another.
    done, total
        How many of the files, series or instruments were read before it.
    """

    group: str
    symbol: str
    frame: pd.DataFrame
    done: int = 0
    total: int = 1


def check_times(frame: pd.DataFrame, symbol: str, where: str) -> None:
    """Raise where times do not ascend.

    Parameters
    ----------
    frame
        Columns timestamp and row, the number that people find a candle by.

    Raises
    ------
    DataError
        Two candles of one time, or a later one first; names both rows.
    """
    times = frame["timestamp"].to_numpy()
    wrong = np.flatnonzero(times[1:] <= times[:-1])
    if not len(wrong):
        return
    place = int(wrong[0])
    before, row = (int(frame["row"].iloc[place + k]) for k in (0, 1))
    raise DataError(_disorder(times[place : place + 2], symbol, where, before, row))


def _disorder(times: np.ndarray, symbol: str, where: str, before: int, row: int) -> Message:
    earlier, later = (str(pd.Timestamp(time)) for time in times)
    if earlier == later:
        return message(
            "{where}: rows {before} and {row} of {symbol} have the same time {time}: keep one candle a time.",
            where=where, symbol=symbol, before=before, row=row, time=later,
        )  # fmt: skip
    return message(
        "{where}: row {row} of {symbol} ({time}) is before row {before} ({earlier}): sort the candles by time.",
        where=where, symbol=symbol, before=before, row=row, time=later, earlier=earlier,
    )  # fmt: skip
