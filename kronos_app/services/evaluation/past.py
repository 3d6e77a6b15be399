"""The forecast at one cutoff of an evaluation, from the saved scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.services.evaluation.report import LEVELS

if TYPE_CHECKING:
    from kronos_app.services.evaluation.run import Evaluation


@dataclass(frozen=True)
class PastForecast:
    """A forecast with the actual candles.

    Attributes
    ----------
    history, actual
        Candles by time, before and after the cutoff.
    bands
        By time: median, and low_LEVEL, high_LEVEL of the close for `LEVELS`, in prices.
    """

    symbol: str
    history: pd.DataFrame
    actual: pd.DataFrame
    bands: pd.DataFrame


def past_forecast(evaluation: Evaluation, model: str, number: int) -> PastForecast | None:
    """Return the forecast at one of the worst cutoffs of a model, None where there is none of this number."""
    report = evaluation.report or {}
    worst = report.get("worst", {}).get(model, [])
    if not 0 <= number < len(worst):
        return None
    cutoff = worst[number]
    for series in evaluation.read_candles():
        row = int(np.searchsorted(series.times, cutoff["time"], side="right"))
        same_series = (series.group, series.symbol) == (cutoff["group"], cutoff["symbol"])
        if same_series and row and int(series.times[row - 1]) == cutoff["time"]:
            start, end = max(0, row - evaluation.request.lookback), row + evaluation.request.horizon
            history = series.frame(start, row).set_index("timestamp")
            actual = series.frame(row, end).set_index("timestamp")
            scores = _scores(evaluation, report["files"][model], cutoff)
            bands = _bands(scores, float(history["close"].iloc[-1]), pd.DatetimeIndex(actual.index))
            return PastForecast(series.symbol, history, actual, bands)
    return None


def _scores(evaluation: Evaluation, files: list[str], cutoff: Mapping[str, Any]) -> pd.DataFrame:
    filters = [(name, "==", cutoff[name]) for name in ("group", "symbol", "time")]
    tables = (pd.read_parquet(evaluation.scores / name, filters=filters) for name in files)
    return next(table for table in tables if len(table)).sort_values("step")


def _bands(scores: pd.DataFrame, last: float, times: pd.DatetimeIndex) -> pd.DataFrame:
    columns = ["median", *(f"{end}_{level}" for level in LEVELS for end in ("low", "high"))]
    return pd.DataFrame(last * np.exp(scores[columns].to_numpy()), index=times, columns=columns)
