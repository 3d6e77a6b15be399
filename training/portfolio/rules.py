"""Settings of a backtest. Defaults are those of Qlib's examples for A-shares; costs are shares of the value dealt."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from training.errors import ConfigError, message

FIELD = re.compile(r"[a-z][a-z0-9_]{0,30}")
LEAST_COST = 1e-12  # Qlib divides by the cost where money is short


@dataclass(frozen=True)
class TopkRule:
    """Qlib's TopkDropout: hold the best, each day replace the worst by better ones.

    Parameters
    ----------
    topk
        Number of instruments to hold.
    n_drop
        Most that are replaced a day.
    hold_thresh
        Days that an instrument is held at least.
    risk_degree
        Share of the cash that is spent.

    Raises
    ------
    ConfigError
        A value is out of range; names the field.
    """

    topk: int = 50
    n_drop: int = 5
    hold_thresh: int = 1
    risk_degree: float = 0.95

    def __post_init__(self) -> None:
        for field in ("topk", "n_drop", "hold_thresh"):
            _check_count(field, getattr(self, field))
        if self.n_drop > self.topk:
            raise ConfigError(
                message(
                    "n_drop={n_drop} must not exceed topk={topk}: more cannot be replaced than are held.",
                    n_drop=self.n_drop,
                    topk=self.topk,
                )
            )
        _check("risk_degree", self.risk_degree, 0, 1, open_below=True)


@dataclass(frozen=True)
class Dealing:
    """How orders are dealt.

    Parameters
    ----------
    account
        Money to begin with.
    deal_price
        Field that orders are dealt at, such as `open`, `close` or `vwap`; where it is missing, the close.
    limit_threshold
        Nothing is dealt on a day whose close moved this far from the one before; None: no limit.
    open_cost, close_cost
        Commission and taxes of buying and selling.
    min_cost
        Least cost of an order, in money.
    slippage
        Added to both costs: how much worse than `deal_price` an order is filled.
    impact
        Added likewise, times the square of the order's share of the day's turnover. (Qlib's `impact_cost`.)
    trade_unit
        Shares that are dealt at once, where the folder has factors to tell them by; None: any fraction.

    Raises
    ------
    ConfigError
        A value is out of range; names the field.
    """

    account: float = 1e8
    deal_price: str = "close"
    limit_threshold: float | None = 0.095
    open_cost: float = 0.0005
    close_cost: float = 0.0015
    min_cost: float = 5.0
    slippage: float = 0.0
    impact: float = 0.0
    trade_unit: int | None = 100

    def __post_init__(self) -> None:
        _check("account", self.account, 0, math.inf, open_below=True)
        if not FIELD.fullmatch(self.deal_price):
            raise ConfigError(
                message(
                    "deal_price={value} must be the name of a field, such as open, close or vwap.",
                    value=repr(self.deal_price[:40]),
                )
            )
        if self.limit_threshold is not None:
            _check("limit_threshold", self.limit_threshold, 0, 10, open_below=True)
        for field in ("open_cost", "close_cost", "slippage"):
            _check(field, getattr(self, field), 0, 0.5)
        for field in ("min_cost", "impact"):
            _check(field, getattr(self, field), 0, math.inf)
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
        """Return what Qlib's exchange takes; `change` is the expression of a day's move.

        Nothing can be dealt on a day without volume: Qlib by itself would fill the order.
        """
        idle = "$volume<=0"
        over = under = idle
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


def _check_count(field: str, value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigError(message("{field}={value} must be a whole number from 1 on.", field=field, value=repr(value)))


def _check(field: str, value: object, lowest: float, highest: float, *, open_below: bool = False) -> None:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if math.isfinite(number) and lowest <= number <= highest and not (open_below and number == lowest):
        return
    shown = {"field": field, "value": repr(value)}
    if math.isfinite(highest):
        raise ConfigError(
            message("{field}={value} must lie between {lowest} and {highest}.", **shown, lowest=lowest, highest=highest)
        )
    if open_below:
        raise ConfigError(message("{field}={value} must be above {lowest}.", **shown, lowest=lowest))
    raise ConfigError(message("{field}={value} must be {lowest} or more.", **shown, lowest=lowest))
