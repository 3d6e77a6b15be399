"""Which candles to trade."""

from __future__ import annotations

from kronos_app import state
from kronos_app.services.backtest.service import BacktestData
from kronos_app.state import gettext as _
from kronos_app.widgets.selection import candles as work_data

KEYS = work_data.Keys(
    "backtest",
    state.BACKTEST_SOURCE,
    state.BACKTEST_SETS,
    state.BACKTEST_SERIES,
    state.BACKTEST_WATCHLIST,
    state.BACKTEST_FOLDER,
    state.BACKTEST_MARKET,
)


def draw() -> BacktestData | None:
    """Draw the choice, and return it; None while nothing is chosen."""
    fields = work_data.draw(_("Candles to trade"), KEYS)
    return None if fields is None else BacktestData.model_validate(fields)


def adopt(data: BacktestData) -> None:
    """Set the choice to what a backtest was made with."""
    work_data.adopt(data, KEYS)
