"""The request of an evaluation: which models, on which candles, at which cutoffs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NaiveDatetime

from kronos_app.services.core.request import Request
from kronos_app.services.selection.request import CandleSelection

MOST_MODELS = 4  # all of them are in memory during the evaluation
TaskName = Literal["price", "return", "volatility"]


class EvaluationRequest(Request):
    """An evaluation to be made."""

    data: CandleSelection = Field(description="Which candles to forecast.")
    task: TaskName | None = Field(
        None, description="A task of the paper whose figures come first: price, return or volatility."
    )
    models: list[str] = Field(min_length=1, max_length=MOST_MODELS, description="Names of the models.")
    lookback: int = Field(90, ge=16, le=2048, description="Candles of history at each cutoff.")
    horizon: int = Field(10, ge=1, le=512, description="Candles to forecast at each cutoff.")
    n_windows: int = Field(100, ge=1, le=5000, description="Cutoffs of each series, the latest ones.")
    step_size: int | None = Field(
        None, ge=1, le=10_000, description="Candles between two cutoffs; absent: the horizon, so no futures overlap."
    )
    samples: int = Field(20, ge=1, le=500, description="Paths that a model draws at each cutoff.")
    temperature: float = Field(1.0, gt=0, le=5, description="As for a forecast.")
    top_p: float = Field(1.0, gt=0, le=1, description="As for a forecast.")
    top_k: int = Field(0, ge=0, le=1_000_000, description="As for a forecast.")
    driftless: bool = Field(
        False, description="Zero-drift forecasts: the median of all paths is fixed at the last close."
    )
    until: NaiveDatetime | None = Field(
        None, description="Time of the last candle that is used, as the series has it; absent: all are used."
    )
    fitted: bool = Field(
        True, description="Also compare with baselines that are fitted anew at each cutoff, such as GARCH; slower."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Of the paths: the same gives the same scores.")

    def count_cutoffs(self, rows: int) -> int:
        """Return how many cutoffs a series of `rows` candles has, at most."""
        step = self.step_size or self.horizon
        return max(0, min(self.n_windows, (rows - self.lookback - self.horizon) // step + 1))
