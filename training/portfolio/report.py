"""Figures of a backtest, JSON-ready.

Their definitions are those of quantstats, which tests compare them with. quantstats itself takes seconds to import and
mistakes returns that never fall for prices, so it only draws the page to download. Qlib's own figures, which are not
compounded, are in `Backtest.risk`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.evaluation.files import json_object
from training.portfolio.records import Backtest

DAYS = 252  # of a year
WORST = 5  # drawdowns in the report
ROUNDING = 1e-12  # a smaller standard deviation is rounding
COSTS = ("cost", "commission", "slippage", "impact")


@dataclass(frozen=True, eq=False)
class Report:
    """Figures and tables of a backtest."""

    figures: Mapping[str, float | str | None]  # by name, None where not defined; see `report`
    # By day: strategy, without_cost, bench (growth since the beginning, 0 for none), excess, excess_without_cost
    # (growth over the benchmark's), drawdown, exposure (share of the account that is invested).
    curves: pd.DataFrame
    monthly: pd.DataFrame  # Return after costs by year (rows) and month (columns 1 ... 12), and of the year.
    drawdowns: pd.DataFrame  # the worst: depth, first, lowest and last day (missing where it is not over), days
    # Holdings from purchase to sale: instrument, opened, closed (missing where still held), side, earned (after costs,
    # as a share of what was paid).
    trips: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        curves = {"day": self.curves.index, **dict(self.curves.items())}
        tables = {"drawdowns": self.drawdowns, "trips": self.trips}
        return json_object(figures=self.figures, curves=curves, monthly=self.monthly.T.to_dict(), **tables)


def report(backtest: Backtest, periods: int = DAYS) -> Report:
    """Return the figures of a backtest.

    Parameters
    ----------
    periods
        Candles of a year, to annualize by.

    Returns
    -------
    Report
        Its figures: days, total_return, total_return_without_cost, bench_return, excess_return,
        excess_return_without_cost, annual_return (compounded), annual_volatility, sharpe, sortino, calmar,
        information_ratio (of daily excess returns), max_drawdown and its days drawdown_first, drawdown_lowest,
        drawdown_last; turnover (daily mean, as a share of the account), hit_rate (win rate of days with a gain or a
        loss), trip_hit_rate (the same of holdings), exposure (mean), trades, failed (orders that were not executed),
        cost and its parts commission, slippage, impact (money), cost_share (of the initial capital).
    """
    daily, trades = backtest.daily, backtest.trades
    returns = daily["return"] - daily["cost"]
    bench = daily["bench"] if backtest.has_benchmark else None
    curves = _curves(daily, returns, bench)
    worst = drawdowns(returns)
    trips = round_trips(trades)
    ends = curves.iloc[-1]
    executed = trades["amount"] > 0
    start = float(daily["account"].iloc[0] / (1 + returns.iloc[0])) if returns.iloc[0] > -1 else math.nan
    costs = {name: float(trades[name].sum()) for name in COSTS}
    figures = {
        "days": len(daily),
        "total_return": ends["strategy"],
        "total_return_without_cost": ends["without_cost"],
        "bench_return": ends["bench"],
        "excess_return": ends["excess"],
        "excess_return_without_cost": ends["excess_without_cost"],
        **risk(returns, bench, periods),
        "turnover": daily["turnover"].mean(),
        "hit_rate": _win_rate(returns),
        "trip_hit_rate": _win_rate(trips["earned"]),
        "exposure": curves["exposure"].mean(),
        "trades": int(executed.sum()),
        "failed": int((~executed).sum()),
        **costs,
        "cost_share": costs["cost"] / start,
        **{f"drawdown_{name}": worst[name].iloc[0] if len(worst) else None for name in ("first", "lowest", "last")},
    }
    return Report(json_object(**figures), curves, monthly(returns), worst.head(WORST), trips)


def monthly(returns: pd.Series[float]) -> pd.DataFrame:
    """Return compounded returns by year and month, and of each year; NaN where there is no day."""
    grown = (1 + returns).groupby([returns.index.year, returns.index.month]).prod() - 1  # type: ignore[attr-defined]
    table = grown.unstack().reindex(columns=range(1, 13))
    return table.assign(year=(1 + table).prod(axis=1) - 1).rename_axis(index="year", columns=None)


def drawdowns(returns: pd.Series[float]) -> pd.DataFrame:
    """Return all drawdowns, the deepest first: depth, first, lowest, last, days.

    `last` is the last day below the earlier maximum, missing where the account has not recovered.
    """
    depth = _depth(returns)
    below = depth < 0
    number = (below & ~below.shift(fill_value=False)).cumsum()[below]
    rows = []
    for _, part in depth[below].groupby(number):
        last = part.index[-1] if part.index[-1] != depth.index[-1] else pd.NaT
        rows.append((float(part.min()), part.index[0], part.idxmin(), last, len(part)))
    frame = pd.DataFrame(rows, columns=["depth", "first", "lowest", "last", "days"])
    return frame.sort_values("depth", kind="stable").reset_index(drop=True)


def round_trips(trades: pd.DataFrame) -> pd.DataFrame:
    """Return holdings from the opening order to the closing one; the rules trade them as a whole."""
    executed = trades[trades["amount"] > 0].reset_index(drop=True)
    place = executed.groupby("instrument").cumcount()
    executed = executed.assign(trip=place // 2)
    opening, closing = (executed[place % 2 == half].set_index(["instrument", "trip"]) for half in (0, 1))
    pairs = opening.join(closing.add_suffix("_closing"))
    sign = np.where(pairs["side"] == "buy", 1.0, -1.0)
    # Prices are compared, since slightly less than the whole is sold where the account cannot pay for it.
    moved = pairs["price_closing"] / pairs["price"]
    cost = pairs["cost"] / pairs["value"] + pairs["cost_closing"] / pairs["value_closing"] * moved
    trips = pd.DataFrame(
        {
            "opened": pairs["day"],
            "closed": pairs["day_closing"],
            "side": np.where(sign > 0, "long", "short"),
            "earned": sign * (moved - 1) - cost,
        },
        index=pairs.index,
    )
    return trips.reset_index(level="instrument").sort_values(["opened", "instrument"]).reset_index(drop=True)


def risk(returns: pd.Series[float], bench: pd.Series[float] | None = None, periods: int = DAYS) -> dict[str, float]:
    """Return the figures of `report` that need only returns; NaN where they are not defined."""
    annual = float(np.prod(1 + returns.to_numpy())) ** (periods / len(returns)) - 1
    deepest = float(_depth(returns).min())
    falls = math.sqrt(float((returns.clip(upper=0.0) ** 2).mean()))
    return {
        "annual_return": annual,
        "annual_volatility": _deviation(returns) * math.sqrt(periods),
        "sharpe": _ratio(returns, periods),
        "sortino": float(returns.mean()) / falls * math.sqrt(periods) if falls > 0 else math.nan,
        "calmar": annual / -deepest if deepest < 0 else math.nan,
        "information_ratio": _ratio(returns - bench.fillna(0.0), periods) if bench is not None else math.nan,
        "max_drawdown": deepest,
    }


def _curves(daily: pd.DataFrame, returns: pd.Series[float], bench: pd.Series[float] | None) -> pd.DataFrame:
    strategy, without_cost = (1 + returns).cumprod(), (1 + daily["return"]).cumprod()
    compared = (1 + bench.fillna(0.0)).cumprod() if bench is not None else pd.Series(np.nan, index=daily.index)
    return pd.DataFrame(
        {
            "strategy": strategy - 1,
            "without_cost": without_cost - 1,
            "bench": compared - 1,
            "excess": strategy / compared - 1,
            "excess_without_cost": without_cost / compared - 1,
            "drawdown": _depth(returns),
            "exposure": daily["value"] / daily["account"].where(daily["account"] > 0),
        }
    )


def _depth(returns: pd.Series[float]) -> pd.Series[float]:
    grown = (1 + returns).cumprod()
    return grown / grown.cummax().clip(lower=1.0) - 1


def _ratio(returns: pd.Series[float], periods: int) -> float:
    deviation = _deviation(returns)
    return float(returns.mean()) / deviation * math.sqrt(periods) if deviation > ROUNDING else math.nan


def _deviation(returns: pd.Series[float]) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else math.nan


def _win_rate(values: pd.Series[float]) -> float:
    decided = values[values.notna() & (values != 0)]
    return float((decided > 0).mean()) if len(decided) else math.nan
