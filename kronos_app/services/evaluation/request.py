"""What somebody asks for who wants models evaluated: which models, on which candles, at which cutoffs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kronos_app.services.core.request import Request
from kronos_app.services.selection.candles import WorkData

MOST_MODELS = 4  # all of them are in memory while it lasts
TaskName = Literal["price", "return", "volatility"]


class EvaluationData(WorkData):
    """Which candles to forecast; a folder is known by its name alone."""


class EvaluationRequest(Request):
    """An evaluation to be made."""

    data: EvaluationData = Field(description="Which candles to forecast.")
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
    fitted: bool = Field(
        True, description="Also compare with baselines that are fitted anew at each cutoff, such as GARCH; slower."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Of the paths: the same gives the same scores.")

    @property
    def step(self) -> int:
        """Return the candles between two cutoffs."""
        return self.step_size or self.horizon

    def cutoffs_of(self, rows: int) -> int:
        """Return how many cutoffs a series of `rows` candles has, at most."""
        return max(0, min(self.n_windows, (rows - self.lookback - self.horizon) // self.step + 1))
