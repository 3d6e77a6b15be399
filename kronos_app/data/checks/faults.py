"""Rows that cannot be used as they are, and the words for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data.candle_arrays import UNKNOWN, CandleArrays
from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import Draft, Finding, Severity
from kronos_app.i18n import Text, text

FIRST_ROWS = 5
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Faults:
    """One boolean a row of a draft's frame, for each kind of fault."""

    time: Mask
    price: Mask
    volume: Mask
    non_positive: Mask
    impossible: Mask

    @cached_property
    def unusable(self) -> Mask:
        """Return the rows no model can read: without a time, with an empty or infinite value, or a price ≤ 0."""
        return self.time | self.price | self.volume | self.non_positive

    @cached_property
    def any(self) -> Mask:
        """Return the rows with a fault of any kind."""
        return self.unusable | self.impossible


def find_faults(candles: pd.DataFrame | CandleArrays) -> Faults:
    """Return which rows are faulty and how."""
    arrays = candles if isinstance(candles, CandleArrays) else CandleArrays.of(candles)
    opened, high, low, close = arrays.prices
    top = np.fmax(np.fmax(opened, close), low)
    bottom = np.fmin(np.fmin(opened, close), high)
    return Faults(
        time=arrays.times == UNKNOWN if len(arrays.times) else np.zeros(len(arrays), dtype=bool),
        price=np.asarray(~np.isfinite(arrays.prices).all(axis=0)),
        volume=np.asarray(~np.isfinite(arrays.amounts).all(axis=0)),
        non_positive=np.asarray((arrays.prices <= 0).any(axis=0)),
        impossible=np.asarray((high < top) | (low > bottom) | (arrays.amounts < 0).any(axis=0)),
    )


def usable(frame: pd.DataFrame, arrays: CandleArrays | None = None, faults: Faults | None = None) -> pd.DataFrame:
    """Return the fault-free rows in the order of time, the last of several at one time; their row is the index.

    Parameters
    ----------
    arrays, faults
        Of the frame, where they are computed already.
    """
    arrays = CandleArrays.of(frame) if arrays is None else arrays
    faulty = (find_faults(arrays) if faults is None else faults).any
    good = frame[~faulty] if faulty.any() or not arrays.ascending else frame
    if arrays.ascending:
        return good
    if "timestamp" not in good:
        return good.iloc[:0].assign(timestamp=pd.DatetimeIndex([]))
    good = good.sort_values("timestamp", kind="stable")
    return good[~good.duplicated("timestamp", keep="last")]


def findings(
    draft: Draft, arrays: CandleArrays, faults: Faults, repeated: Mask, conflicting: Mask
) -> Iterator[Finding]:
    """Yield a finding for each kind of fault.

    Parameters
    ----------
    repeated, conflicting
        Rows with the time of an earlier row; those of them with other values.
    """
    if draft.needs_timestamps:
        message = text("The file has no time column: state when it starts and its interval.")
        yield Finding("no_timestamps", "error", message)
    if draft.bad_cells:
        cell = draft.bad_cells[0]
        message = text(
            "{count} cell(s) cannot be read; the first is row {row}, column “{column}”: “{value}”.",
            count=draft.unreadable, row=cell.row, column=cell.column, value=cell.text,
        )  # fmt: skip
        rows = dict.fromkeys(cell.row for cell in draft.bad_cells)
        yield Finding("unreadable", "error", message, tuple(rows)[:FIRST_ROWS])
    frame, index = draft.frame, arrays.rows
    if faults.unusable.any():
        for column in frame:
            yield from _rows("missing", "error", frame[column].isna().to_numpy(), index, _MISSING, column=column)
        for column in (name for name in FEATURES if name in frame):
            yield from _rows("infinite", "error", np.isinf(frame[column]).to_numpy(), index, _INFINITE, column=column)
    yield from _rows("non_positive", "error", faults.non_positive, index, _NON_POSITIVE)
    if faults.impossible.any():
        candle = frame.iloc[int(np.argmax(faults.impossible))]
        values = {name: f"{candle[name]:g}" for name in PRICES}
        yield from _rows("impossible", "error", faults.impossible, index, _contradiction(candle), **values)
    yield from _rows("conflicts", "error", conflicting, index, _CONFLICTS)
    yield from _rows("duplicates", "info", repeated & ~conflicting, index, _DUPLICATES)
    if not arrays.ascending:
        yield from _rows("unsorted", "info", _earlier(arrays.times), index, _UNSORTED)
    if arrays.volume is not None:
        yield from _rows("zero_volume", "info", arrays.volume == 0, index, _ZERO_VOLUME)


_MISSING = text("Column “{column}” has no usable value in {count} row(s); first in row {row}.")
_INFINITE = text("Column “{column}” is infinite in {count} row(s); first in row {row}.")
_NON_POSITIVE = text("{count} row(s) have a price of zero or less; first in row {row}.")
_HIGH_BELOW_LOW = text("{count} impossible candle(s); in row {row} high {high} is below low {low}.")
_NOT_WITHIN = text(
    "{count} impossible candle(s); in row {row} open {open} or close {close} is not within {low} to {high}."
)
_NEGATIVE = text("{count} impossible candle(s); in row {row} volume or amount is negative.")
_CONFLICTS = text("{count} row(s) repeat a time with other values; first in row {row}.")
_DUPLICATES = text("{count} row(s) repeat an earlier row exactly and are left out; first in row {row}.")
_UNSORTED = text(
    "The rows are not in the order of time and are sorted; row {row} is the first that is earlier than the row before."
)
_ZERO_VOLUME = text("{count} candle(s) have no volume; first in row {row}.")


def _rows(
    code: str, severity: Severity, mask: Mask, index: pd.Index[int], message: Text, **values: object
) -> Iterator[Finding]:
    if rows := first_rows(mask, index):
        yield Finding(code, severity, text(message.msgid, count=int(mask.sum()), row=rows[0], **values), rows)


def first_rows(mask: Mask, index: pd.Index[int]) -> tuple[int, ...]:
    """Return the first file rows where `mask` holds."""
    return tuple(int(index[at]) for at in np.flatnonzero(mask)[:FIRST_ROWS])


def _earlier(times: NDArray[np.int64]) -> Mask:
    """Return which times are earlier than the one before; an unknown time is neither earlier nor later."""
    readable = times != UNKNOWN
    earlier = np.zeros(len(times), dtype=bool)
    earlier[1:] = (times[1:] < times[:-1]) & readable[1:] & readable[:-1]
    return earlier


def _contradiction(candle: pd.Series[float]) -> Text:
    """Return the message that says why a candle is impossible."""
    body = candle["open"], candle["close"]
    if candle["high"] < candle["low"]:
        return _HIGH_BELOW_LOW
    return _NOT_WITHIN if candle["high"] < max(body) or candle["low"] > min(body) else _NEGATIVE
