"""Signals: scores of forecasts, which TopkDropout and the rule for one instrument trade by.

| signal | score |
|---|---|
| `last mean max min` | close of the mean path at its end, on average, highest, lowest; less the last close |
| `last_return` ... `min_return` | the same as a share of the last close |
| `risk_adjusted` | mean over paths of the return to the end, divided by its standard deviation |
| `probability_up` | share of paths that end above the last close |

The first four are as published: price differences, so that an expensive instrument outranks a cheap one of equal
expected return.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from training.errors import DataError

POINTS = ("last", "mean", "max", "min")
SIGNALS = (*POINTS, *(f"{point}_return" for point in POINTS), "risk_adjusted", "probability_up")
INDEX = ["datetime", "instrument"]


def signals_of(paths: np.ndarray, last_close: float) -> dict[str, float]:
    """Return every signal of `SIGNALS` of one forecast.

    `paths` are candles (samples, horizon, 6). `risk_adjusted` is NaN where paths do not differ, as with a single one.
    """
    close = paths[..., CLOSE]
    mean_path = close.mean(axis=0)
    prices = (mean_path[-1], mean_path.mean(), mean_path.max(), mean_path.min())
    scores = {point: float(price - last_close) for point, price in zip(POINTS, prices, strict=True)}
    scores |= {f"{point}_return": scores[point] / last_close for point in POINTS}
    ends = close[:, -1] / last_close - 1
    deviation = float(ends.std(ddof=1)) if len(ends) > 1 else 0.0
    scores["risk_adjusted"] = float(ends.mean()) / deviation if deviation > 0 else float("nan")
    scores["probability_up"] = float((ends > 0).mean())
    return scores


def frame(rows: Mapping[tuple[pd.Timestamp, str], Mapping[str, float]]) -> pd.DataFrame:
    """Return rows of scores as a panel by (datetime, instrument), ascending."""
    index = (
        pd.MultiIndex.from_tuples(list(rows), names=INDEX) if rows else pd.MultiIndex.from_arrays([[], []], names=INDEX)
    )
    return pd.DataFrame(list(rows.values()), index=index, columns=list(SIGNALS), dtype=np.float64).sort_index()


def momentum(closes: pd.DataFrame, days: int = 5) -> pd.Series[float]:
    """Return the return of each instrument over its last `days` candles as a signal.

    `closes` are by day and instrument; NaN where there is no candle, which gives no score that day.
    """
    scored = {name: column.dropna().pct_change(days) for name, column in closes.items()}
    return long(pd.DataFrame(scored).reindex(closes.index))


def long(wide: pd.DataFrame) -> pd.Series[float]:
    """Return scores by day and instrument as a series by (datetime, instrument), without NaN."""
    rows = wide.rename_axis(index=INDEX[0]).melt(ignore_index=False, var_name=INDEX[1], value_name="score").dropna()
    return rows.set_index(INDEX[1], append=True)["score"].sort_index()


def pick(signals: pd.DataFrame, name: str) -> pd.Series[float]:
    """Return one signal of a panel; raises DataError if there is none of that name."""
    if name not in signals:
        names = ", ".join(map(str, signals))
        raise DataError("There is no signal {name}: choose one of {names}.", name=repr(name[:40]), names=names)
    return signals[name]
