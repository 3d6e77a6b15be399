"""A stored forecast with its history and its actual candles: all that the page and the API show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.services.ledger.comparison import Comparison, compare
from kronos_app.store.records import CandleSet, StoredForecast

# Which candles stand for a forecast; a number is that of one path, the first is 1.
CandleKind = Literal["representative", "median", "mean"] | int


@dataclass(frozen=True, eq=False)
class ForecastView:
    """A forecast with the candles known today.

    Attributes
    ----------
    history
        The candles that the model was given, ending at the cutoff: index `timestamp`, columns the features of the
        series. Empty if the candle set was deleted.
    actual
        The actual candles at forecast times, in the same form; None if there are none.
    timezone, calendar
        Of the candle set, None where it names none.
    """

    stored: StoredForecast
    history: pd.DataFrame
    actual: pd.DataFrame | None
    timezone: str | None = None
    calendar: str | None = None

    @classmethod
    def of(cls, stored: StoredForecast, candle_set: CandleSet | None) -> ForecastView:
        """Join `stored` with the candles it was made from, by timestamp."""
        if candle_set is None:
            return cls(stored, pd.DataFrame(columns=list(FEATURES), index=pd.DatetimeIndex([], name="timestamp")), None)
        candles = candle_set.candles
        frame = candles.frame.set_index("timestamp")[candles.features]
        history = frame.loc[: stored.cutoff].tail(int(stored.provenance["history_rows"]))
        actual = frame.loc[(frame.index > stored.cutoff) & frame.index.isin(stored.timestamps)]
        zone, calendar = candles.timezone, candles.about.calendar
        return cls(stored, history, None if actual.empty else actual, zone, calendar)

    @property
    def id(self) -> str:
        """Return the id of the forecast."""
        return self.stored.id

    @property
    def model(self) -> str:
        """Return the name of the model."""
        return str(self.stored.provenance["model"])

    @property
    def driftless(self) -> bool:
        """Return whether this is a zero-drift forecast."""
        return self.stored.driftless

    def quantiles(self, levels: Sequence[float]) -> dict[float, pd.DataFrame]:
        """Return per level a frame `(horizon, 6)` of quantiles over the paths, of each step and feature by itself."""
        values = np.quantile(self.stored.paths, levels, axis=0)
        return {level: self._frame(values[i]) for i, level in enumerate(levels)}

    def calibrated(self, levels: Sequence[float], factor: float) -> dict[float, pd.DataFrame]:
        """Return the quantiles of prices with their log distance from the median multiplied by `factor`."""
        prices = list(PRICES)
        median = self.candles("median")[prices]
        return {level: median * (frame[prices] / median) ** factor for level, frame in self.quantiles(levels).items()}

    def candles(self, kind: CandleKind) -> pd.DataFrame:
        """Return the candles that stand for the forecast, `(horizon, 6)`.

        Parameters
        ----------
        kind
            `representative`: the sampled path `representative_path`; `median`, `mean`: of each step and feature by
            itself, the mean as the published package returns it; a number: this sampled path, the first is 1.
        """
        paths = self.stored.paths
        if kind == "median":
            return self._frame(np.median(paths, axis=0))
        if kind == "mean":
            return self._frame(paths.mean(axis=0))
        return self._frame(paths[(self.representative_path if kind == "representative" else kind) - 1])

    @cached_property
    def representative_path(self) -> int:
        """Return the number of the medoid of the sampled paths, the first is 1.

        It is the path with the smallest sum of Euclidean distances to all others. Log closes are divided by their
        standard deviation at each step, so that neither the price level nor the wide last steps decide alone.
        """
        closes = np.log(self.stored.close_paths)
        spread = closes.std(axis=0)
        scaled = closes[:, spread > 0] / spread[spread > 0]
        distances = [np.sqrt(((scaled - path) ** 2).sum(axis=1)).sum() for path in scaled]
        return int(np.argmin(distances)) + 1

    @property
    def volatility(self) -> float:
        """Return the standard deviation of the log return from the last close to the last forecast candle."""
        return float(np.log(self.stored.close_paths[:, -1]).std())

    @property
    def past_volatility(self) -> float:
        """Return the volatility of the history over as many candles, if its log returns were independent."""
        returns = np.diff(np.log(self.history["close"].to_numpy(np.float64)))
        return float(returns.std() * math.sqrt(len(self.stored.timestamps))) if len(returns) else math.nan

    def probability_up(self) -> pd.Series[float]:
        """Return per step the share of paths that close above the last known close."""
        share = (self.stored.close_paths > self.stored.last_close).mean(axis=0)
        return pd.Series(share, index=self._index, name="probability_up")

    @cached_property
    def comparison(self) -> Comparison | None:
        """Return the scores of the forecast and the baselines, None while no actual candle is known."""
        if self.actual is None or self.history.empty:
            return None
        actual = self.actual["close"].reindex(self._index).to_numpy(np.float64)
        history = self.history["close"].to_numpy(np.float64)
        return compare(self.stored.close_paths, actual, history, driftless=self.driftless)

    @property
    def _index(self) -> pd.DatetimeIndex:
        return self.stored.timestamps.rename("timestamp")

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._index, columns=list(FEATURES))
