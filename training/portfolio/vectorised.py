"""TopkDropout for many signals at once, by the rules of Qlib's strategy and exchange.

Qlib's loop takes seconds for one signal; hundreds of random ones take as long here. They can differ in one case: Qlib
sells in the order of a hash, which matters only to an account that cannot pay the minimum commission of an order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.portfolio.market import Market, share_squared
from training.portfolio.records import HOLDING, ORDER
from training.portfolio.rules import Dealing, TopkRule

Scores = Callable[[int], np.ndarray | None]
OnStep = Callable[[int, int], object]
EMPTY = -1
LEAST_VALUE = 1e-5  # a smaller order is none


class Journal:
    """Orders and holdings of one strategy, rows of `ORDER` and `HOLDING`: the first of several simulated at once."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._orders: list[tuple[object, ...]] = []
        self._holdings: list[tuple[object, ...]] = []

    def order(self, day: int, column: int, side: str, ordered: float, amount: float, value: float, cost: float) -> None:
        """Add an order; one that was not executed has amount 0 and costs nothing."""
        value, cost = (float(value), float(cost)) if amount > 0 else (0.0, 0.0)
        price = float(self._market.price[day, column])
        days, names = self._market.days, self._market.instruments
        self._orders.append((days[day], names[column], side, float(ordered), float(amount), price, value, cost))

    def holding(self, day: int, column: int, amount: float, price: float, account: float, days: int) -> None:
        """Add what is held of an instrument at the end of a day."""
        name, weight = self._market.instruments[column], float(amount) * float(price) / float(account)
        self._holdings.append((self._market.days[day], name, float(amount), float(price), weight, int(days)))

    def trades(self) -> pd.DataFrame:
        """Return the orders."""
        return pd.DataFrame(self._orders, columns=ORDER)

    def positions(self) -> pd.DataFrame:
        """Return the holdings by day and instrument."""
        return pd.DataFrame(self._holdings, columns=HOLDING).sort_values(["day", "instrument"], ignore_index=True)


@dataclass(frozen=True, eq=False)
class Simulation:
    """Days (D,) of several strategies, arrays (D, S)."""

    days: pd.DatetimeIndex
    account: np.ndarray  # cash and holdings at the end of each day
    cash: np.ndarray
    costs: np.ndarray  # as a share of the previous day's account
    turnover: np.ndarray  # the same
    returns: np.ndarray  # of each day, before costs

    def daily(self) -> pd.DataFrame:
        """Return the days of the first strategy in the columns of `Backtest.daily`."""
        columns = {
            "account": self.account,
            "cash": self.cash,
            "value": self.account - self.cash,
            "return": self.returns,
            "cost": self.costs,
            "turnover": self.turnover,
        }
        frame = pd.DataFrame({name: array[:, 0] for name, array in columns.items()}, index=self.days)
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
    """Return the simulation of `strategies` signals with one rule.

    `scores` returns, by the number of a day of `market`, the scores that are traded on it (S, N), NaN where there are
    none, or None for no trades. Scores of one strategy and day must differ from one another: see `ranked`. `journal`
    gets the orders and holdings of the first strategy. `on_step` is called after each day with (done, total); it may
    raise to cancel.
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
    """Return the scores of one signal, the result of `ranked`."""
    panel = market.panel(ranks)
    decided = np.isfinite(panel).any(axis=1)
    return lambda day: panel[day : day + 1] if decided[day] else None


class _Books:
    """Holdings of S strategies in P slots (S, P): instrument, amount and days held."""

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

    def step(self, day: int, scores: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """Trade one day and return account, cash, cost and turnover (S,)."""
        self.cost[:], self.turnover[:] = 0, 0
        if scores is not None:
            candidates, purchases, sold = self._choose(scores)
            self._sell(day, sold)
            self._buy(day, candidates, purchases)
        self.age += self.held != EMPTY
        price = np.where(self.held == EMPTY, 0.0, self.market.mark[day][self.held])
        account = self.cash + (self.amount * price).sum(axis=1)
        if self.journal:
            for slot in np.flatnonzero(self.held[0] != EMPTY):
                of_slot = self.held[0, slot], self.amount[0, slot], price[0, slot]
                self.journal.holding(day, *of_slot, account[0], self.age[0, slot])
        return account, self.cash.copy(), self.cost.copy(), self.turnover.copy()

    def _choose(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return candidates (S, K), the best first, the number of them to buy (S,), and the slots to sell (S, P)."""
        rule, empty = self.rule, self.held == EMPTY
        count = (~empty).sum(axis=1)
        free = np.where(np.isnan(scores), -np.inf, scores)
        own = np.where(empty, np.inf, np.take_along_axis(free, np.maximum(self.held, 0), axis=1))
        rows, slots = np.nonzero(~empty)
        free[rows, self.held[rows, slots]] = -np.inf
        room = rule.n_drop + rule.topk - count
        candidates = _best(free, int(room.max()))
        theirs = np.take_along_axis(free, candidates, axis=1)
        offered = (np.arange(candidates.shape[1]) < room[:, None]) & np.isfinite(theirs)
        # The worst of those held and those offered: first those without a score, in order of name.
        keys = np.hstack([own, np.where(offered, theirs, np.inf)])
        names = np.hstack([self.held, candidates])
        worst = np.lexsort((-names, keys))[:, : rule.n_drop]
        sold = np.zeros(keys.shape, dtype=bool)
        np.put_along_axis(sold, worst, True, axis=1)
        sold = sold[:, : self.held.shape[1]] & ~empty
        purchases = np.minimum(sold.sum(axis=1) + rule.topk - count, offered.sum(axis=1))
        return candidates, purchases, sold

    def _sell(self, day: int, sold: np.ndarray) -> None:
        market, dealing = self.market, self.dealing
        held = np.maximum(self.held, 0)
        sold = sold & market.tradable[day][held] & (self.age >= self.rule.hold_thresh)
        price = np.where(sold, market.price[day][held], 0.0)
        value = self.amount * price
        rate = dealing.selling + dealing.impact * share_squared(value, (market.volume[day] * market.price[day])[held])
        cost = np.maximum(value * rate, dealing.min_cost)
        ordered, sold = sold, sold & (self.cash[:, None] + value >= cost) & (value > LEAST_VALUE)
        if self.journal:
            for slot in np.flatnonzero(ordered[0]):
                amount = self.amount[0, slot]
                executed = amount * sold[0, slot]
                self.journal.order(day, held[0, slot], "sell", amount, executed, value[0, slot], cost[0, slot])
        self._book(np.where(sold, value, 0.0).sum(axis=1), np.where(sold, cost, 0.0).sum(axis=1), sign=1)
        self.held[sold], self.amount[sold], self.age[sold] = EMPTY, 0.0, 0

    def _buy(self, day: int, candidates: np.ndarray, purchases: np.ndarray) -> None:
        budget = self.cash * self.rule.risk_degree / np.maximum(purchases, 1)
        for place in range(int(purchases.max(initial=0))):
            name = candidates[:, place]
            ordered = (place < purchases) & self.market.tradable[day][name]
            shares, amount, value, cost = self._order(day, name, np.where(ordered, budget, 0.0))
            bought = ordered & (value > LEAST_VALUE)
            if self.journal and ordered[0]:
                self.journal.order(day, name[0], "buy", shares[0], amount[0] * bought[0], value[0], cost[0])
            self._book(np.where(bought, value, 0.0), np.where(bought, cost, 0.0), sign=-1)
            row = self.rows[bought]
            slot = (self.held[row] == EMPTY).argmax(axis=1)
            self.held[row, slot], self.amount[row, slot], self.age[row, slot] = name[bought], amount[bought], 0

    def _order(self, day: int, name: np.ndarray, budget: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return ordered and executed shares, value and cost of orders (S,)."""
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

    def _book(self, value: np.ndarray, cost: np.ndarray, *, sign: int) -> None:
        self.cash += sign * value - cost
        self.cost += cost
        self.turnover += value


def _best(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the columns of the `count` highest scores of each row, the highest first."""
    columns = scores.shape[1]
    count = min(count, columns)
    top = np.tile(np.arange(columns), (len(scores), 1))
    if count < columns:  # faster than sorting all
        top = np.argpartition(scores, columns - count - 1, axis=1)[:, columns - count :]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)
