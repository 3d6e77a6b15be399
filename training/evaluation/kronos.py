"""A Kronos model as a forecaster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from engine.candles import CLOSE, OPEN
from engine.loading.registry import find_spec
from engine.predictor import KronosPredictor
from training.evaluation.cutoffs import candles
from training.evaluation.forecasters import Members, Request

Drift = Literal["recommended", "kept", "removed"]


@dataclass(frozen=True, eq=False)
class KronosForecaster:
    """A Kronos model that forecasts many cutoffs in batches; `driftless` as `engine.forecast.Forecast.driftless`."""

    name: str
    predictor: KronosPredictor
    samples: int = 50
    temperature: float = 1.0
    top_p: float = 1.0
    driftless: bool = False
    top_k: int = 0

    @property
    def digest(self) -> str:
        """Return weights and sampling."""
        sampling = f"{self.predictor.digest}/{self.samples}/{self.temperature:g}/{self.top_p:g}"
        sampling += f"/top_k {self.top_k}" if self.top_k else ""
        return f"{sampling}/driftless" if self.driftless else sampling

    def forecast(self, request: Request) -> Members:
        """Draw paths from each past."""
        paths, impossible = self.paths(request)
        return Members(paths[..., CLOSE], True, self.driftless, impossible, first_open=paths[:, :, 0, OPEN])

    def paths(self, request: Request) -> tuple[np.ndarray, np.ndarray]:
        """Return candles (B, samples, horizon, 6) and the share of them that had to be repaired (B,)."""
        tasks = []
        for past, future, seed in zip(request.pasts, request.future, request.seeds, strict=True):
            frame = candles(past.last(request.lookback), past.last_times(request.lookback))
            tasks.append(
                self.predictor.task(
                    frame.drop(columns="timestamp"),
                    frame["timestamp"],
                    pd.DatetimeIndex(future.view("M8[ns]")),
                    samples=self.samples,
                    temperature=self.temperature,
                    top_p=self.top_p,
                    top_k=self.top_k,
                    seed=seed,
                    name=past.name or "the series",
                )
            )
        paths = np.empty((len(tasks), self.samples, request.horizon, 6))
        impossible = np.empty(len(tasks))
        for indices in self.predictor.group(tasks):
            batch = self.predictor.begin([tasks[i] for i in indices])
            while batch.active:
                batch.advance()
            for place, index in enumerate(indices):
                forecast = batch.result(place)
                impossible[index] = forecast.repairs / forecast.paths[..., 0].size
                paths[index] = (forecast.driftless() if self.driftless else forecast).paths
        return paths, impossible


def is_driftless(drift: Drift, model: str) -> bool:
    """Return whether `model`, a registry name, Hub id or folder, is to forecast without the drift of its paths."""
    spec = find_spec(model)
    return drift == "removed" or (drift == "recommended" and spec is not None and spec.sampling["bands"].driftless)
