"""Settings of a backtest. Defaults are those of Qlib's examples for A-shares; costs are shares of the traded value."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from training.errors import ConfigError

FIELD = re.compile(r"[a-z][a-z0-9_]{0,30}")
LEAST_COST = 1e-12  # Qlib divides by the cost where cash is short


@dataclass(frozen=True)
class TopkRule:
    """Qlib's TopkDropout: hold the best, each day replace the worst; raises ConfigError for a value out of range."""

    topk: int = 50  # number of instruments to hold
    n_drop: int = 5  # most that are replaced a day
    hold_thresh: int = 1  # minimum holding period in days
    risk_degree: float = 0.95  # share of the cash that is invested

    def __post_init__(self) -> None:
        for field in ("topk", "n_drop", "hold_thresh"):
            _check_count(field, getattr(self, field))
        if self.n_drop > self.topk:
            raise ConfigError(
                "n_drop={n_drop} must not exceed topk={topk}: it cannot replace more than it holds.",
                n_drop=self.n_drop,
                topk=self.topk,
            )
        _check("risk_degree", self.risk_degree, 0, 1, low_open=True)


@dataclass(frozen=True)
class Dealing:
    """Execution of orders; raises ConfigError for a value out of range."""

    account: float = 1e8  # initial capital
    deal_price: str = "close"  # field of the execution price; where it is missing, the close
    limit_threshold: float | None = 0.095  # no order on a day whose close moved so far; None: no limit
    open_cost: float = 0.0005  # commission and taxes of buying
    close_cost: float = 0.0015  # commission and taxes of selling
    min_cost: float = 5.0  # minimum commission of an order, in money
    slippage: float = 0.0  # added to both costs: how much worse than `deal_price` an order is executed
    impact: float = 0.0  # added to both, times the squared share of the day's turnover: Qlib's `impact_cost`
    trade_unit: int | None = 100  # lot size in shares, where the folder has adjustment factors; None: any fraction

    def __post_init__(self) -> None:
        _check("account", self.account, 0, low_open=True)
        if not FIELD.fullmatch(self.deal_price):
            raise ConfigError(
                "deal_price={value} must be the name of a field, such as open, close or vwap.",
                value=repr(self.deal_price[:40]),
            )
        if self.limit_threshold is not None:
            _check("limit_threshold", self.limit_threshold, 0, 10, low_open=True)
        for field in ("open_cost", "close_cost", "slippage"):
            _check(field, getattr(self, field), 0, 0.5)
        for field in ("min_cost", "impact"):
            _check(field, getattr(self, field), 0)
        if self.trade_unit is not None:
            _check_count("trade_unit", self.trade_unit)

    @property
    def buying(self) -> float:
        """Return the cost rate of buying, slippage included."""
        return max(self.open_cost + self.slippage, LEAST_COST)

    @property
    def selling(self) -> float:
        """Return the cost rate of selling, slippage included."""
        return max(self.close_cost + self.slippage, LEAST_COST)

    def exchange(self, change: str) -> dict[str, Any]:
        """Return the settings of Qlib's exchange; `change` is the expression of a day's move.

        No order is executed on a day without volume: Qlib by itself would fill it.
        """
        over = under = idle = "$volume<=0"
        if self.limit_threshold is not None:
            over = f"Or({change}>={self.limit_threshold}, {idle})"
            under = f"Or({change}<={-self.limit_threshold}, {idle})"
        return {
            "freq": "day",
            "limit_threshold": (over, under),
            "deal_price": self.deal_price,
            "open_cost": self.buying,
            "close_cost": self.selling,
            "min_cost": self.min_cost,
            "impact_cost": self.impact,
            "trade_unit": self.trade_unit,
        }


@dataclass(frozen=True)
class SingleRule:
    """Long above the threshold, short below its negative, flat between; raises ConfigError for a value out of range."""

    threshold: float = 0.0  # in units of the score, 0 or more
    short: bool = False  # whether to go short; else flat
    account: float = 1e6  # initial capital; all of it is invested
    cost: float = 0.0005  # share of the traded value, when buying and when selling
    slippage: float = 0.0  # how much worse than the open an order is executed, as a share

    def __post_init__(self) -> None:
        _check("threshold", self.threshold, 0)
        _check("account", self.account, 0, low_open=True)
        for field in ("cost", "slippage"):
            _check(field, getattr(self, field), 0, 0.5, high_open=True)


def _check_count(field: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigError("{field}={value} must be a whole number from 1 on.", field=field, value=repr(value))


def _check(
    field: str,
    value: object,
    lowest: float,
    highest: float = math.inf,
    *,
    low_open: bool = False,
    high_open: bool = False,
) -> None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    excluded = (low_open and number == lowest) or (high_open and number == highest)
    if math.isfinite(number) and lowest <= number <= highest and not excluded:
        return
    shown = {"field": field, "value": repr(value), "lowest": lowest, "highest": highest}
    if math.isfinite(highest):
        raise ConfigError("{field}={value} must lie between {lowest} and {highest}.", **shown)
    if low_open:
        raise ConfigError("{field}={value} must be above {lowest}.", **shown)
    raise ConfigError("{field}={value} must be {lowest} or more.", **shown)
