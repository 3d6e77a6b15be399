"""Backtests side by side: growth since the first common day, and the settings that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kronos_app.services.backtest.run import Backtest

FEWEST_COMPARED, MOST_COMPARED = 2, 4
DATA, WEIGHTS = "data", "weights"  # rows of the differences that are not simple fields of a request


@dataclass(frozen=True)
class BacktestComparison:
    """Finished backtests.

    Attributes
    ----------
    start
        First day that all of them have; None where there is none.
    curves
        By id the cumulative return after costs since the day before `start`; empty without `start`.
    differences
        Fields of the request that differ, with the value of each backtest; `data` is the origin of the candles,
        `weights` the digest of the model.
    """

    backtests: tuple[Backtest, ...]
    start: pd.Timestamp | None
    curves: Mapping[str, pd.Series[float]]
    differences: tuple[tuple[str, tuple[Any, ...]], ...]

    def to_json(self, language: str) -> dict[str, Any]:
        """Return the comparison as the API has it."""
        return {
            "backtests": [backtest.to_json(language) for backtest in self.backtests],
            "start": None if self.start is None else self.start.isoformat(),
            "curves": {
                name: {"day": [day.isoformat() for day in curve.index], "strategy": curve.tolist()}
                for name, curve in self.curves.items()
            },
            "differences": [{"field": field, "values": list(values)} for field, values in self.differences],
        }


def compare(backtests: Sequence[Backtest]) -> BacktestComparison:
    """Return backtests side by side; all of them have a report."""
    returns = {backtest.id: _cumulative_return(backtest) for backtest in backtests}
    start = max(curve.index[0] for curve in returns.values())
    if start > min(curve.index[-1] for curve in returns.values()):
        return BacktestComparison(tuple(backtests), None, {}, _differences(backtests))
    curves = {name: _since(curve, start) for name, curve in returns.items()}
    return BacktestComparison(tuple(backtests), start, curves, _differences(backtests))


def _cumulative_return(backtest: Backtest) -> pd.Series[float]:
    curves = (backtest.report or {})["curves"]
    return pd.Series(curves["strategy"], pd.DatetimeIndex(curves["day"]), dtype=float)


def _since(returns: pd.Series[float], start: pd.Timestamp) -> pd.Series[float]:
    """Return the cumulative return since the last day before `start`, NaN where the account was empty by then."""
    before = returns[returns.index < start]
    base = 1 + (before.iloc[-1] if len(before) else 0.0)
    return (1 + returns[returns.index >= start]) / (base if base > 0 else float("nan")) - 1


def _differences(backtests: Sequence[Backtest]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    requests = [backtest.request.model_dump(mode="json") for backtest in backtests]
    rows = {name: tuple(request[name] for request in requests) for name in requests[0]}
    rows[WEIGHTS] = tuple((backtest.report or {}).get(WEIGHTS) for backtest in backtests)
    differing = {name: values for name, values in rows.items() if any(value != values[0] for value in values)}
    if DATA in differing:
        differing[DATA] = tuple(backtest.origin for backtest in backtests)
    return tuple(differing.items())
