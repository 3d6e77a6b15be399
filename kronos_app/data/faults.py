"""Rows that cannot be used as they are, and the words for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.draft import Draft, Finding, Severity
from kronos_app.i18n import Text, text

FIRST_ROWS = 5


@dataclass(frozen=True)
class Faults:
    """One boolean a row of a draft's frame, for each kind of fault."""

    time: pd.Series[bool]
    price: pd.Series[bool]
    volume: pd.Series[bool]
    non_positive: pd.Series[bool]
    impossible: pd.Series[bool]

    @property
    def unusable(self) -> pd.Series[bool]:
        """Return the rows no model can read: no time, a value that is absent or infinite, a price of zero or less."""
        return self.time | self.price | self.volume | self.non_positive

    @property
    def any(self) -> pd.Series[bool]:
        """Return the rows with a fault of any kind."""
        return self.unusable | self.impossible


def find_faults(frame: pd.DataFrame) -> Faults:
    """Return which rows are faulty and how."""
    # Arrays, not frames: a file may have thousands of short series, and a frame's operations take longer than theirs.
    opened, high, low, close = prices = np.array([frame[name].to_numpy(np.float64) for name in PRICES])  # (4, rows)
    names = [name for name in FEATURES[4:] if name in frame]
    amounts = np.array([frame[name].to_numpy(np.float64) for name in names]).reshape(len(names), len(frame))
    top = np.fmax(np.fmax(opened, close), low)
    bottom = np.fmin(np.fmin(opened, close), high)
    faults = {
        "time": frame["timestamp"].isna().to_numpy() if "timestamp" in frame else np.zeros(len(frame), dtype=bool),
        "price": ~np.isfinite(prices).all(axis=0),
        "volume": ~np.isfinite(amounts).all(axis=0),
        "non_positive": (prices <= 0).any(axis=0),
        "impossible": (high < top) | (low > bottom) | (amounts < 0).any(axis=0),
    }
    return Faults(**{name: pd.Series(mask, index=frame.index) for name, mask in faults.items()})


def is_ascending(frame: pd.DataFrame) -> bool:
    """Return whether every row has a time, later than that of the row before."""
    if "timestamp" not in frame:
        return False
    times = frame["timestamp"].to_numpy("datetime64[ns]").view(np.int64)
    unknown = np.iinfo(np.int64).min  # how NumPy writes a time that is absent
    return bool(len(times)) and bool(times[0] != unknown) and bool((np.diff(times) > 0).all())


def usable(frame: pd.DataFrame, faults: Faults | None = None) -> pd.DataFrame:
    """Return the fault-free rows in the order of time, the last of several at one time, their row as index."""
    faulty = (find_faults(frame) if faults is None else faults).any
    if is_ascending(frame):
        return frame[~faulty] if faulty.any() else frame
    good = frame[~faulty]
    if "timestamp" not in good:
        return good.iloc[:0].assign(timestamp=pd.DatetimeIndex([]))
    good = good.sort_values("timestamp", kind="stable")
    return good[~good.duplicated("timestamp", keep="last")]


def findings(draft: Draft, faults: Faults, repeated: pd.Series[bool], again: pd.Series[bool]) -> Iterator[Finding]:
    """Yield a finding for each kind of fault; `repeated` rows have the time of an earlier one, `again` other values."""
    frame = draft.frame
    times = frame["timestamp"] if "timestamp" in frame else pd.Series(dtype="datetime64[ns]")
    if draft.needs_timestamps:
        yield Finding(
            "no_timestamps", "error", text("The file has no time column: state when it starts and its interval.")
        )
    yield from _bad_cells(draft)
    if faults.unusable.any():
        yield from _missing(frame)
        yield from _infinite(frame)
    yield from _rows("non_positive", "error", faults.non_positive, _NON_POSITIVE)
    yield from _impossible(frame, faults.impossible)
    yield from _rows("conflicts", "error", again, _CONFLICTS)
    yield from _rows("duplicates", "info", repeated & ~again, _DUPLICATES)
    yield from _rows("unsorted", "info", times.diff() < pd.Timedelta(0), _UNSORTED)
    if "volume" in frame:
        yield from _rows("zero_volume", "info", frame["volume"] == 0, _ZERO_VOLUME)


_NON_POSITIVE = text("{count} row(s) have a price of zero or less; first in row {row}.")
_CONFLICTS = text("{count} row(s) repeat a time with other values; first in row {row}.")
_DUPLICATES = text("{count} row(s) repeat an earlier row exactly and are left out; first in row {row}.")
_UNSORTED = text(
    "The rows are not in the order of time and are sorted; row {row} is the first that is earlier than the row before."
)
_ZERO_VOLUME = text("{count} candle(s) have no volume; first in row {row}.")


def _rows(code: str, severity: Severity, mask: pd.Series[bool], message: Text) -> Iterator[Finding]:
    rows = first_rows(mask)
    if rows:
        yield Finding(code, severity, text(message.msgid, count=int(mask.sum()), row=rows[0]), rows)


def first_rows(mask: pd.Series[bool]) -> tuple[int, ...]:
    """Return the first file rows where `mask` holds."""
    return tuple(int(row) for row in mask.index[mask.to_numpy()][:FIRST_ROWS])


def _bad_cells(draft: Draft) -> Iterator[Finding]:
    if draft.bad_cells:
        cell = draft.bad_cells[0]
        message = text(
            "{count} cell(s) cannot be read; the first is row {row}, column “{column}”: “{value}”.",
            count=draft.unreadable, row=cell.row, column=cell.column, value=cell.text,
        )  # fmt: skip
        rows = dict.fromkeys(cell.row for cell in draft.bad_cells)
        yield Finding("unreadable", "error", message, tuple(rows)[:FIRST_ROWS])


def _missing(frame: pd.DataFrame) -> Iterator[Finding]:
    for column in frame:
        empty = frame[column].isna()
        rows = first_rows(empty)
        if rows:
            message = text(
                "Column “{column}” has no usable value in {count} row(s); first in row {row}.",
                column=column, count=int(empty.sum()), row=rows[0],
            )  # fmt: skip
            yield Finding("missing", "error", message, rows)


def _infinite(frame: pd.DataFrame) -> Iterator[Finding]:
    for column in (name for name in FEATURES if name in frame):
        endless = np.isinf(frame[column])
        rows = first_rows(endless)
        if rows:
            message = text(
                "Column “{column}” is infinite in {count} row(s); first in row {row}.",
                column=column, count=int(endless.sum()), row=rows[0],
            )  # fmt: skip
            yield Finding("infinite", "error", message, rows)


def _impossible(frame: pd.DataFrame, mask: pd.Series[bool]) -> Iterator[Finding]:
    rows = first_rows(mask)
    if not rows:
        return
    candle = frame.loc[rows[0]]
    values = {name: f"{candle[name]:g}" for name in PRICES}
    count = int(mask.sum())
    if candle["high"] < candle["low"]:
        message = text(
            "{count} impossible candle(s); in row {row} high {high} is below low {low}.",
            count=count,
            row=rows[0],
            **values,
        )
    elif candle["high"] < max(candle["open"], candle["close"]) or candle["low"] > min(candle["open"], candle["close"]):
        message = text(
            "{count} impossible candle(s); in row {row} open {open} or close {close} is not within {low} to {high}.",
            count=count, row=rows[0], **values,
        )  # fmt: skip
    else:
        message = text(
            "{count} impossible candle(s); in row {row} volume or amount is negative.", count=count, row=rows[0]
        )
    yield Finding("impossible", "error", message, rows)
