"""The forecast: all sampled paths, and their summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.arguments import check_levels
from engine.candles import CLOSE, FEATURES, PRICES
from engine.errors import InputError


@dataclass(frozen=True)
class Forecast:
    """Sampled continuations of one series.

    Attributes
    ----------
    paths
        Possible candles, float64 (samples, horizon, 6): high >= open, close >= low > 0, volume, amount >= 0. Volume and
        amount are zero if the history had none.
    raw_paths
        The same as decoded, before repair.
    timestamps
        Times of the candles (horizon,).
    repairs
        Number of candles that differ between the two.
    last_close
        Close of the last history candle.
    history_rows
        Number of candles, from the end of the history, that the model and the statistics used.
    model, digest
        Name of the model; SHA-256 of its weights and its tokenizer's.
    seed, settings
        Together with model and history they reproduce the paths.
    """

    paths: np.ndarray
    raw_paths: np.ndarray
    timestamps: pd.DatetimeIndex
    repairs: int
    last_close: float
    history_rows: int
    model: str
    digest: str
    seed: int
    settings: Mapping[str, float | int | str]
    columns: tuple[str, ...] = FEATURES

    def driftless(self) -> Forecast:
        """Return the zero-drift forecast: paths scaled so that the median close of each step is the last close.

        All prices of a step are multiplied by one number: every candle stays possible, and the spread of the paths does
        not change. Volume, amount and `raw_paths` stay.

        Raises
        ------
        InputError
            There is only one path; its whole move would count as drift.
        """
        if len(self.paths) == 1:
            raise InputError("The drift of a single path cannot be estimated: draw at least 2.")
        drift = np.median(np.log(self.paths[..., CLOSE] / self.last_close), axis=0)  # (horizon,)
        paths = self.paths.copy()
        paths[..., : len(PRICES)] *= np.exp(-drift)[:, None]
        return replace(self, paths=paths, settings={**self.settings, "driftless": True})

    def mean(self) -> pd.DataFrame:
        """Return the mean candle of each step."""
        return self._frame(self.paths.mean(axis=0))

    def median(self) -> pd.DataFrame:
        """Return the median of each feature at each step: a possible candle too, since quantiles keep the order."""
        return self._frame(np.median(self.paths, axis=0))

    def quantiles(self, levels: Sequence[float]) -> dict[float, pd.DataFrame]:
        """Return one frame for each level, linearly interpolated between paths.

        Raises
        ------
        InputError
            A level is not between 0 and 1.
        """
        levels = check_levels(levels)
        values = np.quantile(self.paths, levels, axis=0)  # (levels, horizon, 6)
        return {level: self._frame(value) for level, value in zip(levels, values, strict=True)}

    def probability_up(self) -> pd.Series[float]:
        """Return, for each step, the share of paths whose close is above the last known close."""
        share = (self.paths[..., CLOSE] > self.last_close).mean(axis=0)
        return pd.Series(share, index=self.timestamps, name="probability_up")

    def to_frame(self, levels: Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)) -> pd.DataFrame:
        """Return one row a step: mean candle, quantiles of the close (`close_q0.05` ...), probability of a rise."""
        closes = {f"close_q{level:g}": frame["close"] for level, frame in self.quantiles(levels).items()}
        return self.mean().assign(**closes, probability_up=self.probability_up())

    def _frame(self, values: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.timestamps, columns=list(self.columns))
