"""The request of an evaluation: which models, on which candles, at which cutoffs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NaiveDatetime

from kronos_app.services.selection.request import CandleSelection
from kronos_app.services.selection.setup import MAX_SEED, ForecastSetup

MOST_MODELS = 4  # all of them are in memory during the evaluation
TaskName = Literal["price", "return", "volatility"]


class EvaluationRequest(ForecastSetup):
    """An evaluation to be made, of models with one setup; what it leaves open each model recommends for itself."""

    data: CandleSelection = Field(description="Which candles to forecast.")
    task: TaskName | None = Field(
        None, description="A task of the paper whose figures come first: price, return or volatility."
    )
    models: list[str] = Field(min_length=1, max_length=MOST_MODELS, description="Names of the models.")
    n_windows: int = Field(100, ge=1, le=5000, description="Cutoffs of each series, the latest ones.")
    step_size: int | None = Field(
        None, ge=1, le=10_000, description="Candles between two cutoffs; absent: the horizon, so no futures overlap."
    )
    until: NaiveDatetime | None = Field(
        None, description="Time of the last candle that is used, as the series has it; absent: all are used."
    )
    fitted: bool = Field(
        True, description="Also compare with baselines that are fitted anew at each cutoff, such as GARCH; slower."
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="Of the paths: the same gives the same scores.")

    def count_cutoffs(self, rows: int) -> int:
        """Return how many cutoffs a series of `rows` candles has, at most."""
        step = self.step_size or self.horizon
        return max(0, min(self.n_windows, (rows - self.lookback - self.horizon) // step + 1))
