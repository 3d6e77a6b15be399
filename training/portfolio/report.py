"""Figures of a backtest, JSON-ready.

They are defined as in quantstats, which tests hold them to: its package takes seconds to import and takes returns that
never fall for prices, so it only makes the page to download. Qlib's own figures, which add returns up rather than
compound them, are in `Backtest.risk`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.portfolio.records import Backtest

DAYS = 252  # of a year
WORST = 5  # drawdowns that are listed
STILL = 1e-12  # a deviation below it is rounding


@dataclass(frozen=True, eq=False)
class Report:
    """What is shown of a backtest.

    Attributes
    ----------
    figures
        By name, None where it cannot be told; see `report`.
    curves
        By day: strategy, without_cost, bench (growth since the beginning, 0 for none), excess, excess_without_cost
        (growth beyond the benchmark's), drawdown, exposure (share of the account that is held).
    monthly
        Return after costs by year (rows) and month (columns 1 ... 12), and of the year.
    drawdowns
        The worst: depth, first, lowest and last day (missing where it is not over), days.
    trips
        Holdings from purchase to sale: instrument, opened, closed (missing where still held), side, earned (after
        costs, as a share of what was paid).
    """

    figures: Mapping[str, float | str | None]
    curves: pd.DataFrame
    monthly: pd.DataFrame
    drawdowns: pd.DataFrame
    trips: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        months = self.monthly.rename(columns=str)
        return {
            "figures": dict(self.figures),
            "curves": {"day": _days(self.curves.index), **{n: _numbers(c) for n, c in self.curves.items()}},
            "monthly": {str(year): dict(zip(months, _numbers(row), strict=True)) for year, row in months.iterrows()},
            "drawdowns": _records(self.drawdowns),
            "trips": _records(self.trips),
        }


def report(backtest: Backtest, periods: int = DAYS) -> Report:
    """Return the figures of a backtest.

    Parameters
    ----------
    periods
        Candles of a year, to annualise by.

    Returns
    -------
    Report
        Its figures: days, total_return, total_return_without_cost, bench_return, excess_return,
        excess_return_without_cost, annual_return (compounded), annual_volatility, sharpe, sortino, calmar,
        information_ratio (of daily returns beyond the benchmark's), max_drawdown and its days drawdown_first,
        drawdown_lowest, drawdown_last; turnover (mean of a day, as a share of the account), hit_rate (days with a gain
        among those with a gain or a loss), trip_hit_rate (the same of holdings), exposure (mean), trades, failed
        (orders that could not be dealt), cost and its parts commission, slippage, impact (money), cost_share (of the
        account at the beginning).
    """
    daily, trades = backtest.daily, backtest.trades
    returns = daily["return"] - daily["cost"]
    bench = daily["bench"] if backtest.has_benchmark else None
    curves = _curves(daily, returns, bench)
    worst = drawdowns(returns)
    trips = round_trips(trades)
    ends = curves.iloc[-1]
    dealt = trades["amount"] > 0
    start = float(daily["account"].iloc[0] / (1 + returns.iloc[0])) if returns.iloc[0] > -1 else math.nan
    costs = {name: float(trades[name].sum()) for name in ("cost", "commission", "slippage", "impact")}
    figures: dict[str, float | str | None] = {
        "days": len(daily),
        "total_return": ends["strategy"],
        "total_return_without_cost": ends["without_cost"],
        "bench_return": ends["bench"],
        "excess_return": ends["excess"],
        "excess_return_without_cost": ends["excess_without_cost"],
        **risk(returns, bench, periods),
        "turnover": daily["turnover"].mean(),
        "hit_rate": _share(returns),
        "trip_hit_rate": _share(trips["earned"]),
        "exposure": curves["exposure"].mean(),
        "trades": int(dealt.sum()),
        "failed": int((~dealt).sum()),
        **costs,
        "cost_share": costs["cost"] / start,
    }
    figures = {name: _number(value) for name, value in figures.items()}
    for name in ("first", "lowest", "last"):
        figures[f"drawdown_{name}"] = _day(worst[name].iloc[0]) if len(worst) else None
    return Report(figures, curves, monthly(returns), worst.head(WORST), trips)


def monthly(returns: pd.Series[float]) -> pd.DataFrame:
    """Return compounded returns by year and month, and of each year; NaN where there is no day."""
    grown = (1 + returns).groupby([returns.index.year, returns.index.month]).prod() - 1  # type: ignore[attr-defined]
    table = grown.unstack().reindex(columns=range(1, 13))
    return table.assign(year=(1 + table).prod(axis=1) - 1).rename_axis(index="year", columns=None)


def drawdowns(returns: pd.Series[float]) -> pd.DataFrame:
    """Return each time below an earlier height, the deepest first: depth, first, lowest, last, days.

    `last` is the last day below, missing where the account has not come back.
    """
    depth = _depth(returns)
    below = depth < 0
    spell = (below & ~below.shift(fill_value=False)).cumsum()[below]
    rows = []
    for _, part in depth[below].groupby(spell):
        over = part.index[-1] != depth.index[-1]
        last = part.index[-1] if over else pd.NaT
        rows.append((float(part.min()), part.index[0], part.idxmin(), last, len(part)))
    frame = pd.DataFrame(rows, columns=["depth", "first", "lowest", "last", "days"])
    return frame.sort_values("depth", kind="stable").reset_index(drop=True)


def round_trips(trades: pd.DataFrame) -> pd.DataFrame:
    """Return holdings from the order that opened each to the one that closed it; the rules deal them whole."""
    dealt = trades[trades["amount"] > 0].reset_index(drop=True)
    place = dealt.groupby("instrument").cumcount()
    dealt = dealt.assign(trip=place // 2)
    keys = ["instrument", "trip"]
    opening, closing = (dealt[place % 2 == half].set_index(keys) for half in (0, 1))
    pairs = opening.join(closing.add_suffix("_closing"))
    sign = np.where(pairs["side"] == "buy", 1.0, -1.0)
    # What was sold for may be a little less than the whole where the account could not pay; a share is then compared.
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


def _curves(daily: pd.DataFrame, returns: pd.Series[float], bench: pd.Series[float] | None) -> pd.DataFrame:
    grown = {"strategy": (1 + returns).cumprod(), "without_cost": (1 + daily["return"]).cumprod()}
    compared = (1 + bench.fillna(0.0)).cumprod() if bench is not None else pd.Series(np.nan, index=daily.index)
    frame = pd.DataFrame({name: curve - 1 for name, curve in grown.items()} | {"bench": compared - 1})
    return frame.assign(
        excess=grown["strategy"] / compared - 1,
        excess_without_cost=grown["without_cost"] / compared - 1,
        drawdown=_depth(returns),
        exposure=daily["value"] / daily["account"].where(daily["account"] > 0),
    )


def _depth(returns: pd.Series[float]) -> pd.Series[float]:
    grown = (1 + returns).cumprod()
    return grown / grown.cummax().clip(lower=1.0) - 1


def risk(returns: pd.Series[float], bench: pd.Series[float] | None = None, periods: int = DAYS) -> dict[str, float]:
    """Return those figures of `report` that returns alone tell, as those of equal weights do; NaN where they do not."""
    annual = float(np.prod(1 + returns.to_numpy())) ** (periods / len(returns)) - 1
    deepest = float(_depth(returns).min())
    falls = math.sqrt(float((returns.clip(upper=0.0) ** 2).mean()))
    return {
        "annual_return": annual,
        "annual_volatility": _spread(returns) * math.sqrt(periods),
        "sharpe": _ratio(returns, periods),
        "sortino": float(returns.mean()) / falls * math.sqrt(periods) if falls > 0 else math.nan,
        "calmar": annual / -deepest if deepest < 0 else math.nan,
        "information_ratio": _ratio(returns - bench.fillna(0.0), periods) if bench is not None else math.nan,
        "max_drawdown": deepest,
    }


def _ratio(returns: pd.Series[float], periods: int) -> float:
    spread = _spread(returns)
    return float(returns.mean()) / spread * math.sqrt(periods) if spread > STILL else math.nan


def _spread(returns: pd.Series[float]) -> float:
    return float(returns.std(ddof=1)) if len(returns) > 1 else math.nan


def _share(values: pd.Series[float]) -> float:
    decided = values[values.notna() & (values != 0)]
    return float((decided > 0).mean()) if len(decided) else math.nan


def _number(value: Any) -> float | None:
    return value if isinstance(value, int) else float(value) if math.isfinite(value) else None


def _numbers(values: Iterable[Any]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _day(day: Any) -> str | None:
    return None if pd.isna(day) else pd.Timestamp(day).isoformat()


def _days(days: Any) -> list[str | None]:
    return [_day(day) for day in days]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    shown = {
        str(name): _days(column)
        if pd.api.types.is_datetime64_any_dtype(column)
        else _numbers(column)
        if pd.api.types.is_float_dtype(column)
        else column.tolist()
        for name, column in frame.items()
    }
    return [dict(zip(shown, row, strict=True)) for row in zip(*shown.values(), strict=True)]
