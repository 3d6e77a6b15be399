"""TopkDropout for many signals at once, by the rules of Qlib's strategy and exchange, step by step the same.

Qlib's loop takes seconds for one signal; hundreds of random ones go through this one in as many. Where the two could
differ: Qlib sells in the order of a hash, which matters only to an account that cannot pay the least cost of an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.portfolio.costs import share_squared
from training.portfolio.market import Market
from training.portfolio.rules import Dealing, TopkRule

Scores = Callable[[int], np.ndarray | None]
OnStep = Callable[[int, int], object]
EMPTY = -1
LEAST_VALUE = 1e-5  # an order of less is none


@dataclass(frozen=True)
class Order:
    """One order of the strategy that a `Journal` watches; `amount` is 0 where it could not be dealt.

    `ordered` and `amount` are shares, `price` is money a share, `value` and `cost` are money.
    """

    day: int
    column: int
    side: str
    ordered: float
    amount: float
    price: float
    value: float
    cost: float


@dataclass(frozen=True)
class Holding:
    """What the watched strategy holds of one instrument at the end of a day; `days` counts the days it was held."""

    day: int
    column: int
    amount: float
    price: float
    days: int


class Journal:
    """Orders and holdings of one strategy, day by day: the first where several are simulated at once."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.holdings: list[Holding] = []


@dataclass(frozen=True, eq=False)
class Simulation:
    """Days (D,) of several strategies, arrays (D, S).

    Attributes
    ----------
    account
        Money and holdings at the end of each day.
    cash
        Money alone.
    costs, turnover
        Of each day, as shares of the account of the day before.
    returns
        Of each day, before costs.
    """

    days: pd.DatetimeIndex
    account: np.ndarray
    cash: np.ndarray
    costs: np.ndarray
    turnover: np.ndarray
    returns: np.ndarray

    def daily(self, strategy: int = 0) -> pd.DataFrame:
        """Return one strategy's days in the columns of `Backtest.daily`."""
        columns = {
            "account": self.account,
            "cash": self.cash,
            "value": self.account - self.cash,
            "return": self.returns,
            "cost": self.costs,
            "turnover": self.turnover,
        }
        frame = pd.DataFrame({name: array[:, strategy] for name, array in columns.items()}, index=self.days)
        return frame.assign(bench=np.nan).rename_axis("day")


def simulate(
    market: Market,
    scores: Scores,
    strategies: int,
    rule: TopkRule,
    dealing: Dealing,
    *,
    journal: Journal | None = None,
    on_step: OnStep | None = None,
) -> Simulation:
    """Return what `strategies` signals earn through one rule.

    Parameters
    ----------
    scores
        By the number of a day of `market` the scores that are traded on it, (S, N), NaN where there are none; None
        where nothing is decided. Scores of one strategy and day must differ from one another: see `ranked`.
    journal
        Receives the orders and holdings of the first strategy.
    on_step
        Called after each day with (done, total); may raise to cancel.
    """
    books = _Books(market, strategies, rule, dealing, journal)
    rows = []
    for day in range(len(market.days)):
        rows.append(books.step(day, scores(day)))
        if on_step:
            on_step(day + 1, len(market.days))
    account, cash, cost, turnover = (np.array(part) for part in zip(*rows, strict=True))
    before = np.vstack([np.full(strategies, dealing.account), account[:-1]])
    costs, turnover = cost / before, turnover / before
    return Simulation(market.days, account, cash, costs, turnover, account / before - 1 + costs)


def of_signal(market: Market, ranks: pd.Series[float]) -> Scores:
    """Return the scores of one signal, which `ranked` has made unique."""
    panel = market.panel(ranks)
    decided = np.isfinite(panel).any(axis=1)
    return lambda day: panel[day : day + 1] if decided[day] else None


class _Books:
    """Holdings of S strategies in slots (S, P): instrument, amount and days held; P is the most that can be held."""

    def __init__(
        self, market: Market, strategies: int, rule: TopkRule, dealing: Dealing, journal: Journal | None
    ) -> None:
        self.market, self.rule, self.dealing, self.journal = market, rule, dealing, journal
        shape = (strategies, rule.topk + rule.n_drop)
        self.held = np.full(shape, EMPTY)
        self.amount = np.zeros(shape)
        self.age = np.zeros(shape, dtype=np.int64)
        self.cash = np.full(strategies, float(dealing.account))
        self.rows = np.arange(strategies)
        self.cost = np.zeros(strategies)
        self.turnover = np.zeros(strategies)

    def step(self, day: int, scores: np.ndarray | None) -> Iterator[np.ndarray]:
        """Trade one day and return account, cash, cost and turnover (S,)."""
        self.cost[:], self.turnover[:] = 0, 0
        if scores is not None:
            today, wanted, sold = self._choose(scores)
            self._sell(day, sold)
            self._buy(day, today, wanted)
        self.age += self.held != EMPTY
        price = np.where(self.held == EMPTY, 0.0, self.market.mark[day][self.held])
        account = self.cash + (self.amount * price).sum(axis=1)
        self._note_holdings(day, price)
        return iter((account, self.cash.copy(), self.cost.copy(), self.turnover.copy()))

    def _choose(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return candidates (S, K) best first, how many of them to buy (S,), and which slots to sell (S, P)."""
        rule, empty = self.rule, self.held == EMPTY
        count = (~empty).sum(axis=1)
        free = np.where(np.isnan(scores), -np.inf, scores)
        own = np.where(empty, np.inf, np.take_along_axis(free, np.maximum(self.held, 0), axis=1))
        rows, slots = np.nonzero(~empty)
        free[rows, self.held[rows, slots]] = -np.inf
        room = rule.n_drop + rule.topk - count
        today = _best(free, int(room.max()))
        theirs = np.take_along_axis(free, today, axis=1)
        offered = (np.arange(today.shape[1]) < room[:, None]) & np.isfinite(theirs)
        # The worst of those held and those offered; without a score is worst, by name where several are.
        keys = np.hstack([own, np.where(offered, theirs, np.inf)])
        names = np.hstack([self.held, today])
        worst = np.lexsort((-names, keys))[:, : rule.n_drop]
        sold = np.zeros(keys.shape, dtype=bool)
        np.put_along_axis(sold, worst, True, axis=1)
        sold = sold[:, : self.held.shape[1]] & ~empty
        wanted = np.minimum(sold.sum(axis=1) + rule.topk - count, offered.sum(axis=1))
        return today, wanted, sold

    def _sell(self, day: int, sold: np.ndarray) -> None:
        market, dealing = self.market, self.dealing
        held = np.maximum(self.held, 0)
        sold = sold & market.tradable[day][held] & (self.age >= self.rule.hold_thresh)
        price = np.where(sold, market.price[day][held], 0.0)
        value = self.amount * price
        rate = dealing.selling + dealing.impact * share_squared(value, (market.volume[day] * market.price[day])[held])
        cost = np.maximum(value * rate, dealing.min_cost)
        ordered, sold = sold, sold & (self.cash[:, None] + value >= cost) & (value > LEAST_VALUE)
        for slot in np.flatnonzero(ordered[0]) if self.journal else ():
            amount = self.amount[0, slot]
            self._note_order(day, held[0, slot], "sell", amount, amount * sold[0, slot], value[0, slot], cost[0, slot])
        self._book(np.where(sold, value, 0.0).sum(axis=1), np.where(sold, cost, 0.0).sum(axis=1), sign=1)
        self.held[sold], self.amount[sold], self.age[sold] = EMPTY, 0.0, 0

    def _buy(self, day: int, today: np.ndarray, wanted: np.ndarray) -> None:
        budget = self.cash * self.rule.risk_degree / np.maximum(wanted, 1)
        for place in range(int(wanted.max(initial=0))):
            name = today[:, place]
            bought = (place < wanted) & self.market.tradable[day][name]
            ordered, amount, value, cost = self._order(day, name, np.where(bought, budget, 0.0))
            dealt = bought & (value > LEAST_VALUE)
            if self.journal and bought[0]:
                self._note_order(day, name[0], "buy", ordered[0], amount[0] * dealt[0], value[0], cost[0])
            bought = dealt
            self._book(np.where(bought, value, 0.0), np.where(bought, cost, 0.0), sign=-1)
            row = self.rows[bought]
            slot = (self.held[row] == EMPTY).argmax(axis=1)
            self.held[row, slot], self.amount[row, slot], self.age[row, slot] = name[bought], amount[bought], 0

    def _order(self, day: int, name: np.ndarray, budget: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return ordered and dealt amount, value and cost of orders (S,) as the exchange would deal them."""
        market, dealing = self.market, self.dealing
        price = np.where(market.tradable[day][name], market.price[day][name], 1.0)
        factor = None if market.factor is None else market.factor[day][name]
        amount = ordered = self._rounded(budget / price, factor)
        rate = dealing.buying + dealing.impact * share_squared(amount * price, market.volume[day][name] * price)
        need = np.maximum(amount * price * rate, dealing.min_cost)
        affordable = np.minimum(self._affordable(price, rate), amount)
        amount = np.where(self.cash < amount * price + need, affordable, amount)
        amount = np.where(self.cash < need, 0.0, self._rounded(amount, factor))
        value = amount * price
        return ordered, amount, value, np.maximum(value * rate, dealing.min_cost)

    def _affordable(self, price: np.ndarray, rate: np.ndarray) -> np.ndarray:
        least = self.dealing.min_cost
        most = np.where(self.cash >= least / rate + least, self.cash / (1 + rate), self.cash - least)
        return np.where(self.cash >= least, most / price, 0.0)

    def _rounded(self, amount: np.ndarray, factor: np.ndarray | None) -> np.ndarray:
        unit = self.dealing.trade_unit
        if unit is None or factor is None:
            return amount
        known = np.where(np.isfinite(factor), factor, 1.0)
        return (amount * known + 0.1) // unit * unit / known

    def _note_order(
        self, day: int, column: int, side: str, ordered: float, amount: float, value: float, cost: float
    ) -> None:
        """Add an order of the first strategy to the journal; one that could not be dealt costs nothing."""
        assert self.journal is not None
        price = float(self.market.price[day, column])
        value, cost = (float(value), float(cost)) if amount > 0 else (0.0, 0.0)
        order = Order(day, int(column), side, float(ordered), float(amount), price, value, cost)
        self.journal.orders.append(order)

    def _note_holdings(self, day: int, price: np.ndarray) -> None:
        if self.journal is None:
            return
        for slot in np.flatnonzero(self.held[0] != EMPTY):
            amount, age = float(self.amount[0, slot]), int(self.age[0, slot])
            holding = Holding(day, int(self.held[0, slot]), amount, float(price[0, slot]), age)
            self.journal.holdings.append(holding)

    def _book(self, value: np.ndarray, cost: np.ndarray, *, sign: int) -> None:
        self.cash += sign * value - cost
        self.cost += cost
        self.turnover += value


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the columns of the `count` highest scores of each row, the highest first."""
    columns = scores.shape[1]
    count = min(count, columns)
    top = np.tile(np.arange(columns), (len(scores), 1))
    if count < columns:  # the highest, in no order: quicker than to sort all
        top = np.argpartition(scores, columns - count - 1, axis=1)[:, columns - count :]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)
