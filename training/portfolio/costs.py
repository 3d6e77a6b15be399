"""Parts of the costs of orders."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.portfolio.market import Market
from training.portfolio.rules import Dealing


def split_costs(trades: pd.DataFrame, market: Market, dealing: Dealing) -> pd.DataFrame:
    """Return the orders with the parts of their costs; what a minimum commission adds is commission."""
    executed = trades["value"] > 0
    row = market.days.get_indexer(pd.DatetimeIndex(trades["day"]))
    column = pd.Index(market.instruments).get_indexer(pd.Index(trades["instrument"]))
    turnover = market.volume[row, column] * market.price[row, column]
    ordered = trades["ordered"] * trades["price"]
    impact = dealing.impact * trades["value"] * share_squared(ordered.to_numpy(np.float64), turnover)
    slippage = dealing.slippage * trades["value"]
    parts = {"slippage": slippage, "impact": impact, "commission": trades["cost"] - slippage - impact}
    return trades.assign(**{name: part.where(executed, 0.0) for name, part in parts.items()})


def share_squared(value: np.ndarray, turnover: np.ndarray) -> np.ndarray:
    """Return the squared share of the day's turnover, 1 where it is unknown, as in Qlib."""
    known = np.isfinite(turnover) & (turnover != 0)
    return np.where(known, (value / np.where(known, turnover, 1.0)) ** 2, 1.0)
