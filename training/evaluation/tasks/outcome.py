"""The run of a task on one market, the figures of all markets, and their text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.predictor import KronosPredictor
from training.errors import Message
from training.evaluation.cutoffs import Cutoff, Series, spread
from training.evaluation.inference import Estimate
from training.evaluation.kronos import KronosForecaster
from training.evaluation.tasks.presets import Task
from training.evaluation.tasks.published import PAPER, PUBLISHED
from training.evaluation.walk_forward import OnStep

Rows = Mapping[str, Mapping[str, Estimate]]


@dataclass(frozen=True, eq=False)
class MarketRun:
    """A task on one market."""

    task: Task
    predictor: KronosPredictor
    series: Sequence[Series]  # of one market and interval
    window: tuple[int, int]  # candles of history and of forecast
    folder: Path  # where forecasts are stored, so that a stopped run resumes
    count: int  # most cutoffs, sequences or traded days
    seed: int = 0
    on_step: OnStep | None = None  # called with steps done and in total; may raise to cancel

    @property
    def model(self) -> KronosForecaster:
        """Return the model with the sampling of the task."""
        task = self.task
        return KronosForecaster(self.predictor.name, self.predictor, task.samples, task.temperature, task.top_p)

    @property
    def cutoffs(self) -> list[Cutoff]:
        """Return up to `count` cutoffs spread over the market."""
        lookback, horizon = self.window
        return spread(self.series, lookback=lookback, horizon=horizon, count=self.count, seed=self.seed)


@dataclass(frozen=True)
class Market:
    """Result of one market: its name, what was used of it, and figures by forecaster, the model first."""

    name: str
    used: str
    rows: Rows


@dataclass(frozen=True)
class Outcome:
    """Result of a task by market, with warnings."""

    task: Task
    markets: Sequence[Market]
    warnings: Sequence[Message]

    def average(self) -> pd.DataFrame:
        """Return the means over markets by forecaster and figure."""
        values = [
            {name: {figure: estimate.value for figure, estimate in row.items()} for name, row in market.rows.items()}
            for market in self.markets
        ]
        tables = [pd.DataFrame.from_dict(market, orient="index", dtype=np.float64) for market in values]
        return pd.concat(tables).groupby(level=0, sort=False).mean()


def describe(outcome: Outcome) -> str:
    """Return the text for a terminal: warnings, a table for each market, their average, and the published figures."""
    parts = [str(warning) for warning in outcome.warnings]
    parts += [f"{market.name}: {market.used}\n{_with_intervals(market.rows)}" for market in outcome.markets]
    if len(outcome.markets) > 1:
        parts.append(f"Average of {len(outcome.markets)} markets\n{_plain(outcome.average()).to_string()}")
    return "\n\n".join([*parts, _published(outcome.task)])


def _published(task: Task) -> str:
    rows = [
        {"model": entry.model, "data": str(entry.data), "table": entry.table}
        | {name: entry.figures.get(name, np.nan) for name in task.figures}
        for entry in PUBLISHED[task.name]
    ]
    heading = f"{PAPER}, of other data and other years, for orientation:"
    return f"{heading}\n{_plain(pd.DataFrame(rows)).to_string(index=False)}"


def _with_intervals(rows: Rows) -> str:
    """Return figures with their intervals, without forecasters that have none."""
    cells = {name: {figure: _interval(estimate) for figure, estimate in row.items()} for name, row in rows.items()}
    known = {name: row for name, row in cells.items() if any(row.values())}
    return pd.DataFrame.from_dict(known, orient="index").fillna("").to_string()


def _interval(estimate: Estimate) -> str:
    if not np.isfinite(estimate.value):
        return ""
    return f"{estimate.value:.4f}" + ("" if estimate.low is None else f" [{estimate.low:.4f}, {estimate.high:.4f}]")


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda value: value if isinstance(value, str) else "" if np.isnan(value) else f"{value:.4f}")
