"""What candles must be before they are kept with others of their series, in one place."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema


def check(candles: CandleFrame) -> CandleFrame:
    """Return `candles` unchanged.

    Empty cells are allowed: a vendor's faults are kept as they came, and repaired in the data sets made from them.

    Raises
    ------
    InvalidInput
        No candle, a column that is absent, unknown or no float64, an infinity, or times that do not ascend.
    """
    from pandera.errors import SchemaErrors

    if not len(candles):
        raise _refused(candles.name, text("there is no candle"))
    try:
        _schema().validate(candles.frame, lazy=True)
    except SchemaErrors as error:
        failures = error.failure_cases
        column = failures["column"].fillna(failures["failure_case"]).astype(str)
        faults = sorted({f"{name}: {fault}" for name, fault in zip(column, failures["check"].astype(str), strict=True)})
        raise _refused(candles.name, "; ".join(faults[:5])) from None
    if not candles.utc.is_monotonic_increasing or not candles.utc.is_unique:
        raise _refused(candles.name, text("times repeat or go back in UTC"))
    return candles


@cache
def _schema() -> DataFrameSchema:
    import pandera.pandas as pa

    def finite(values: pd.Series[float]) -> bool:
        return not bool(np.isinf(values.to_numpy()).any())

    def ascending(times: pd.Series[pd.Timestamp]) -> bool:
        return bool(times.is_monotonic_increasing and times.is_unique)

    # Building one takes some milliseconds, so there is one.
    numbers = {
        name: pa.Column(float, pa.Check(finite, error="an infinity"), nullable=True, required=name in PRICES)
        for name in FEATURES
    }
    times = pa.Column("datetime64[ns]", pa.Check(ascending, error="times that do not ascend"))
    return pa.DataFrameSchema({"timestamp": times} | numbers, strict=True)


def _refused(name: str, reason: Text | str) -> InvalidInput:
    return InvalidInput(
        "no_candle_frame",
        text("The candles of {name} cannot be kept: {reason}.", name=name, reason=reason),
        text("The source's answer is at fault, not the request: fetch again, and report it if it stays so."),
    )
