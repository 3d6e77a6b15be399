"""Forms of a time that a user can state for a column: by name, or as a pattern such as %d/%m/%Y %H:%M."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kronos_app.data.upload.cells import all_match, is_number, is_text, nulls, trim
from kronos_app.data.upload.times import numeric, written
from kronos_app.data.upload.times.order import Order
from kronos_app.data.upload.times.values import NAT, Reading, in_utc, on_the_clock, unreadable
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

TimeFormat = Literal[
    "day_first", "month_first", "year_first", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "spreadsheet_days"
]
LABELS: Mapping[TimeFormat, Text] = {
    "day_first": text("Day first: 31/01/2024, 31.01.24, 310124"),
    "month_first": text("Month first: 01/31/2024, 01-31-24, 013124"),
    "year_first": text("Year first: 2024-01-31, 24/01/31, 240131"),
    "epoch_s": text("Seconds since 1970"),
    "epoch_ms": text("Milliseconds since 1970"),
    "epoch_us": text("Microseconds since 1970"),
    "epoch_ns": text("Nanoseconds since 1970"),
    "spreadsheet_days": text("Days of a spreadsheet: 45322.5"),
}
NAMES: tuple[TimeFormat, ...] = get_args(TimeFormat)
_EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
_LONGEST = 100


def check(time_format: str | None) -> str | None:
    """Return a format that can be used.

    Raises InvalidInput: it is neither one of `NAMES` nor a pattern with a date.
    """
    if time_format is None or time_format in NAMES:
        return time_format
    try:
        usable = "%" in time_format and len(time_format) <= _LONGEST
        if usable:
            pd.to_datetime(pd.Series(["2024"]), format=time_format, errors="coerce")
    except (ValueError, TypeError, NotImplementedError):
        usable = False
    if not usable:
        raise InvalidInput(
            "unknown_time_format",
            text("“{format}” is no format of times.", format=time_format[:40]),
            text("Use one of {names}, or a pattern such as %d/%m/%Y %H:%M.", names=", ".join(NAMES)),
        )
    return time_format


def read(column: pa.ChunkedArray, time_format: str) -> Reading:
    """Return a column of text or numbers in the form that the user states.

    Raises InvalidInput: no cell has that form.
    """
    if time_format in _EPOCHS or time_format == "spreadsheet_days":
        reading = _from_counts(column, time_format)
    else:
        cells = trim(column if is_text(column) else pc.cast(column, pa.string()))
        ordered = time_format in NAMES
        reading = _in_order(cells, cast("Order", time_format)) if ordered else _by_pattern(cells, time_format)
    if np.isnat(reading.values).all() and reading.bad.any():
        raise InvalidInput(
            "wrong_time_format",
            text(
                "No time has the format {format}; the first is “{value}”.",
                format=time_format, value=str(column[int(np.flatnonzero(reading.bad)[0])].as_py())[:40],
            ),
            text("Choose another format of the times, or let it be detected."),
        )  # fmt: skip
    return reading


def has_clock(time_format: str | None) -> bool:
    """Return whether a pattern reads the time of day as well, so that a separate column has to be joined first."""
    return time_format is not None and any(code in time_format for code in ("%H", "%I", "%T", "%X", "%c"))


def _from_counts(column: pa.ChunkedArray, time_format: str) -> Reading:
    values, exact, other = numeric.to_numbers(column if is_number(column) else trim(column))
    if time_format == "spreadsheet_days":
        reading = numeric.spreadsheet_days(values)
    else:
        reading = numeric.epochs(values, exact, _EPOCHS.index(time_format))
    return replace(reading, bad=reading.bad | other, findings=())


def _in_order(cells: pa.ChunkedArray, order: Order) -> Reading:
    if not all_match(cells, r"^\d{5,8}$"):
        return written.read(cells, order)
    values, exact, _ = numeric.to_numbers(cells)
    width = int(pc.max(pc.utf8_length(cells)).as_py() or 0)
    return numeric.read(values, exact, width + width % 2, order)


def _by_pattern(cells: pa.ChunkedArray, pattern: str) -> Reading:
    zoned = "%z" in pattern or "%Z" in pattern
    series = pd.Series(cells.to_numpy(zero_copy_only=False), dtype="object")
    try:
        times = pd.to_datetime(series, format=pattern, errors="coerce", utc=zoned)
    except (ValueError, TypeError, OverflowError):
        return unreadable(cells)
    values = (times.dt.tz_localize(None) if zoned else times).to_numpy("datetime64[ns]")
    bad = np.isnat(values) & ~nulls(cells)
    values = np.where(bad, NAT, values)
    return in_utc(values, bad) if zoned else on_the_clock(values, bad)
