"""A stored forecast with the candles around it: everything a page draws and the API tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.services.ledger.comparison import Comparison, compare
from kronos_app.store.records import CandleSet, StoredForecast


@dataclass(frozen=True, eq=False)
class ForecastView:
    """A forecast as it is looked at today.

    Attributes
    ----------
    stored
        The forecast as computed.
    history
        The candles the model was given, ending at the cutoff: index `timestamp`, the features the series has. Empty
        when the candle set was deleted since.
    actual
        Candles after the cutoff whose times the forecast also has, in the same form; None when there are none.
    timezone, calendar
        Of the candle set, None where it says nothing.
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
        before = frame.loc[: stored.cutoff].tail(int(stored.provenance["history_rows"]))
        after = frame.loc[frame.index > stored.cutoff]
        known = after.loc[after.index.isin(stored.timestamps)]
        when = candles.timezone, candles.about.calendar
        return cls(stored, before, None if known.empty else known, *when)

    @property
    def id(self) -> str:
        """Return the forecast's id."""
        return self.stored.id

    @property
    def driftless(self) -> bool:
        """Return whether the drift of the paths was taken out."""
        return self.stored.driftless

    def quantiles(self, levels: Sequence[float]) -> dict[float, pd.DataFrame]:
        """Return per level a frame `(horizon, 6)` of quantiles over the paths, each step and feature by itself."""
        values = np.quantile(self.stored.paths, levels, axis=0)
        return {level: self._frame(values[i]) for i, level in enumerate(levels)}

    def recalibrated(self, levels: Sequence[float], factor: float) -> dict[float, pd.DataFrame]:
        """Return the quantiles of the prices alone with their log distance from the median multiplied by `factor`."""
        found = self.quantiles(levels)
        median = self.median()[list(PRICES)]
        return {level: median * (frame[list(PRICES)] / median) ** factor for level, frame in found.items()}

    def mean(self) -> pd.DataFrame:
        """Return the mean over the paths, `(horizon, 6)`."""
        return self._frame(self.stored.paths.mean(axis=0))

    def median(self) -> pd.DataFrame:
        """Return the median over the paths, `(horizon, 6)`."""
        return self._frame(np.median(self.stored.paths, axis=0))

    def probability_up(self) -> pd.Series[float]:
        """Return by step the part of the paths that close above the last known close."""
        close = self.stored.paths[:, :, FEATURES.index("close")]
        return pd.Series((close > self.stored.last_close).mean(axis=0), index=self._index, name="probability_up")

    @cached_property
    def comparison(self) -> Comparison | None:
        """Return how the forecast and the baselines did where the outcome is known, None where nothing is."""
        if self.actual is None or self.history.empty:
            return None
        close = self.actual["close"].reindex(self._index).to_numpy(np.float64)
        paths = self.stored.paths[:, :, FEATURES.index("close")]
        return compare(paths, close, self.history["close"].to_numpy(np.float64), driftless=self.driftless)

    @property
    def _index(self) -> pd.DatetimeIndex:
        return self.stored.timestamps.rename("timestamp")

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self._index, columns=list(FEATURES))
