"""Checks candles before they are stored with others of their series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

SHOWN_FAULTS = 5


def check(candles: CandleFrame) -> CandleFrame:
    """Return `candles` unchanged; raise `InvalidInput` for wrong columns, no rows or times that do not ascend.

    Empty cells are allowed: a vendor's faults are stored unchanged, and repaired in the data sets made from them.
    """
    faults = list(_faults(candles))
    if faults:
        raise InvalidInput(
            "no_candle_frame",
            text("The candles of {name} cannot be stored: {reason}.",
                 name=candles.name, reason="; ".join(faults[:SHOWN_FAULTS])),
            text("The answer of the source is at fault, not the request: fetch again, and report it if it persists."),
        )  # fmt: skip
    return candles


def _faults(candles: CandleFrame) -> Iterator[str]:
    frame = candles.frame
    if not len(candles):
        yield "there is no candle"
    for name in frame.columns.difference(["timestamp", *FEATURES]):
        yield f"{name}: unknown column"
    for name in ("timestamp", *FEATURES):
        if name not in frame:
            if name in ("timestamp", *PRICES):
                yield f"{name}: missing column"
            continue
        dtype = "datetime64[ns]" if name == "timestamp" else "float64"
        if frame[name].dtype != dtype:
            yield f"{name}: {frame[name].dtype} instead of {dtype}"
        elif name != "timestamp" and np.isinf(frame[name].to_numpy()).any():
            yield f"{name}: an infinity"
        elif name == "timestamp" and not (candles.timestamps.is_monotonic_increasing and candles.timestamps.is_unique):
            yield "timestamp: not ascending"
        elif name == "timestamp" and not (candles.utc.is_monotonic_increasing and candles.utc.is_unique):
            yield "timestamp: repeated or descending in UTC"
