"""From forecasts to scores: what TopkDropout and the rule for one instrument trade by.

| signal | score |
|---|---|
| `last mean max min` | close of the mean path at its end, on average, highest, lowest; less the last close |
| `last_return` ... `min_return` | the same as a share of the last close |
| `risk_adjusted` | mean over paths of the return to the end, divided by its deviation |
| `probability_up` | share of paths that end above the last close |

The first four are as published: differences of prices, so that a dear instrument outranks a cheap one of equal promise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.candles import CLOSE
from training.errors import DataError, message

POINTS = ("last", "mean", "max", "min")
SIGNALS = (*POINTS, *(f"{point}_return" for point in POINTS), "risk_adjusted", "probability_up")
INDEX = ["datetime", "instrument"]


def scores(paths: np.ndarray, last_close: float) -> dict[str, float]:
    """Return every signal of one forecast.

    Parameters
    ----------
    paths
        Possible candles (samples, horizon, 6), in the engine's order of features.
    last_close
        Of the last candle that was known.

    Returns
    -------
    dict
        By the names of `SIGNALS`; `risk_adjusted` is NaN where paths do not differ, as a single one cannot.
    """
    close = paths[..., CLOSE]
    mean_path = close.mean(axis=0)
    reached = (mean_path[-1], mean_path.mean(), mean_path.max(), mean_path.min())
    found = {point: float(price - last_close) for point, price in zip(POINTS, reached, strict=True)}
    found |= {f"{point}_return": found[point] / last_close for point in POINTS}
    ends = close[:, -1] / last_close - 1
    spread = float(ends.std(ddof=1)) if len(ends) > 1 else 0.0
    found["risk_adjusted"] = float(ends.mean()) / spread if spread > 0 else float("nan")
    found["probability_up"] = float((ends > 0).mean())
    return found


def panel(forecasts: Mapping[tuple[pd.Timestamp, str], tuple[np.ndarray, float]]) -> pd.DataFrame:
    """Return the signals of forecasts by (datetime, instrument), a column each.

    Parameters
    ----------
    forecasts
        Paths (samples, horizon, 6) and last close, by the time of that close and the instrument.
    """
    rows = {key: scores(*forecast) for key, forecast in forecasts.items()}
    return frame(rows)


def frame(rows: Mapping[tuple[pd.Timestamp, str], Mapping[str, float]]) -> pd.DataFrame:
    """Return rows of scores as a panel, ascending."""
    index = (
        pd.MultiIndex.from_tuples(list(rows), names=INDEX) if rows else pd.MultiIndex.from_arrays([[], []], names=INDEX)
    )
    return pd.DataFrame(list(rows.values()), index=index, columns=list(SIGNALS), dtype=np.float64).sort_index()


def momentum(closes: pd.DataFrame, days: int = 5) -> pd.Series[float]:
    """Return what each instrument earned over its last `days` candles, as a signal.

    Parameters
    ----------
    closes
        By day and instrument; NaN where there is no candle, which gives no score that day.
    """
    scored = {name: column.dropna().pct_change(days) for name, column in closes.items()}
    wide = pd.DataFrame(scored).reindex(closes.index)
    return long(wide)


def long(wide: pd.DataFrame) -> pd.Series[float]:
    """Return scores by day and instrument as a series by (datetime, instrument), without NaN."""
    rows = wide.rename_axis(index=INDEX[0]).melt(ignore_index=False, var_name=INDEX[1], value_name="score").dropna()
    return rows.set_index(INDEX[1], append=True)["score"].sort_index()


def pick(signals: pd.DataFrame, name: str) -> pd.Series[float]:
    """Return one signal of a panel.

    Raises
    ------
    DataError
        There is none of that name.
    """
    if name not in signals:
        raise DataError(
            message(
                "There is no signal {name}: choose one of {names}.",
                name=repr(name[:40]),
                names=", ".join(map(str, signals)),
            )
        )
    return signals[name]
