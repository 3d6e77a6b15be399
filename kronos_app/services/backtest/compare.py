"""Backtests side by side: their growth from the first day that all have, and what they were made with otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kronos_app.services.backtest.views import BacktestView, backtest_json

FEWEST_COMPARED, MOST_COMPARED = 2, 4
DATA, WEIGHTS = "data", "weights"  # beside the fields of a request


@dataclass(frozen=True)
class BacktestComparison:
    """Some backtests that have finished.

    Attributes
    ----------
    start
        First day that all of them have; None where there is none.
    curves
        By id what was earned after costs since the day before `start`, by day, each to its own end; empty without
        `start`.
    differences
        Fields of the request in which they differ, with the value of each; `data` are the candles in words, `weights`
        what tells versions of a model apart.
    """

    backtests: tuple[BacktestView, ...]
    start: pd.Timestamp | None
    curves: Mapping[str, pd.Series[float]]
    differences: tuple[tuple[str, tuple[Any, ...]], ...]


def compared(backtests: Sequence[BacktestView]) -> BacktestComparison:
    """Return backtests side by side; all of them have a report."""
    earned = {one.id: _earned(one) for one in backtests}
    start = max(curve.index[0] for curve in earned.values())
    if start > min(curve.index[-1] for curve in earned.values()):
        return BacktestComparison(tuple(backtests), None, {}, _differences(backtests))
    curves = {name: _since(curve, start) for name, curve in earned.items()}
    return BacktestComparison(tuple(backtests), start, curves, _differences(backtests))


def comparison_json(found: BacktestComparison, language: str) -> dict[str, Any]:
    """Return backtests side by side as the API tells them."""
    return {
        "backtests": [backtest_json(one, language) for one in found.backtests],
        "start": None if found.start is None else found.start.isoformat(),
        "curves": {
            name: {"day": [day.isoformat() for day in curve.index], "strategy": curve.tolist()}
            for name, curve in found.curves.items()
        },
        "differences": [{"field": field, "values": list(values)} for field, values in found.differences],
    }


def _earned(seen: BacktestView) -> pd.Series[float]:
    curves = (seen.report or {})["curves"]
    return pd.Series(curves["strategy"], pd.DatetimeIndex(curves["day"]), dtype=float)


def _since(earned: pd.Series[float], start: pd.Timestamp) -> pd.Series[float]:
    """Return growth counted from the last day before `start`, NaN where nothing was left to grow by then."""
    before = earned[earned.index < start]
    base = 1 + (before.iloc[-1] if len(before) else 0.0)
    return (1 + earned[earned.index >= start]) / (base if base > 0 else float("nan")) - 1


def _differences(backtests: Sequence[BacktestView]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    requests = [one.request.model_dump(mode="json") for one in backtests]
    rows = [(name, tuple(one[name] for one in requests)) for name in requests[0]]
    rows.append((WEIGHTS, tuple((one.report or {}).get(WEIGHTS) for one in backtests)))
    origins = tuple(one.origin for one in backtests)
    return tuple(
        (name, origins if name == DATA else values) for name, values in rows if any(v != values[0] for v in values)
    )
