"""Comparisons for a strategy: random signals, equal weights, and other signals by the same rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.errors import DataError, Message, message
from training.portfolio.market import Market, ranked
from training.portfolio.records import Backtest
from training.portfolio.rules import Dealing, SingleRule, TopkRule
from training.portfolio.single import trade
from training.portfolio.vectorised import Scores, Simulation, of_signal, simulate

OnStep = Callable[[int, int], object]
BATCH = 100  # strategies at a time: bounds the memory
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]
SIGNIFICANT = 0.95


@dataclass(frozen=True, eq=False)
class Luck:
    """Distribution of random signals with the same rule, on the same days and among the same instruments."""

    earned: np.ndarray  # cumulative return after costs of each random signal (count,), ascending
    strategy: float  # that of the strategy
    account: pd.DataFrame  # quantiles `LEVELS` of the account by day

    @classmethod
    def of(cls, accounts: np.ndarray, strategy: pd.Series[float], start: float) -> Luck:
        """Return the distribution of `accounts` (D, count) beside the account of a strategy by day."""
        quantiles = pd.DataFrame(np.quantile(accounts, LEVELS, axis=1).T, index=strategy.index, columns=LEVELS)
        return cls(np.sort(accounts[-1] / start - 1), float(strategy.iloc[-1] / start - 1), quantiles)

    @property
    def percentile(self) -> float:
        """Return the share of random signals with a lower return, equal ones counted by half."""
        below, same = (self.earned < self.strategy).mean(), (self.earned == self.strategy).mean()
        return float(below + same / 2)

    @property
    def verdict(self) -> Message:
        """Return one sentence."""
        values = {"share": f"{self.percentile:.0%}", "count": len(self.earned)}
        if self.percentile >= SIGNIFICANT:
            return message("Beats {share} of {count} random signals.", **values)
        return message("Beats {share} of {count} random signals: not better than chance.", **values)


def luck(
    market: Market,
    signal: pd.Series[float],
    rule: TopkRule,
    dealing: Dealing,
    *,
    count: int = 500,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Luck:
    """Return the distribution of `count` random signals beside a signal; raises DataError if `count` is below 1.

    A random signal has scores where `signal`, by (datetime, instrument), has them, nowhere else. `on_step` is called
    with (done, total) signals; it may raise to cancel.
    """
    if count < 1:
        raise DataError("{field}={value} must be a whole number from 1 on.", field="count", value=count)
    ranks = ranked(signal)
    strategy = simulate(market, of_signal(market, ranks), 1, rule, dealing).daily()["account"]
    accounts = np.empty((len(market.days), count))
    for first in range(0, count, BATCH):
        size = min(BATCH, count - first)
        scores = _random(market.panel(ranks), size, np.random.default_rng([seed, first]))
        accounts[:, first : first + size] = simulate(market, scores, size, rule, dealing).account
        if on_step:
            on_step(first + size, count)
    return Luck.of(accounts, strategy, dealing.account)


def single_luck(
    candles: pd.DataFrame,
    score: pd.Series[float],
    rule: SingleRule,
    result: Backtest,
    *,
    count: int,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Luck:
    """Return the distribution of a score in `count` random orders on one instrument, beside the `trade` of the score.

    `on_step` is called before each with (done, total); it may raise to cancel.
    """
    rng = np.random.default_rng(seed)
    accounts = []
    for number in range(count):
        if on_step:
            on_step(number, count)
        shuffled = pd.Series(rng.permutation(score.to_numpy()), index=score.index)
        accounts.append(trade(candles, shuffled, rule, result.settings["instrument"]).daily["account"])
    strategy = result.daily["account"]
    table = pd.concat(accounts, axis=1).reindex(strategy.index).ffill().fillna(rule.account)
    return Luck.of(table.to_numpy(), strategy, rule.account)


def compared(market: Market, signal: pd.Series[float], rule: TopkRule, dealing: Dealing) -> Simulation:
    """Return the simulation of another signal, such as momentum, with the same rule."""
    return simulate(market, of_signal(market, ranked(signal)), 1, rule, dealing)


def equal_weight(market: Market) -> pd.Series[float]:
    """Return the daily returns of the equal-weight portfolio of all instruments with two closes, without costs."""
    known = np.vstack([np.full(len(market.instruments), np.nan), market.mark[:-1]])
    moves = pd.DataFrame(market.close / known - 1, index=market.days)
    return moves.mean(axis=1).fillna(0.0).rename("equal_weight")


def _random(panel: np.ndarray, count: int, rng: np.random.Generator) -> Scores:
    """Return random scores of `count` strategies where `panel` (D, N) has scores."""

    def scores(day: int) -> np.ndarray | None:
        scored = np.isfinite(panel[day])
        return np.where(scored, rng.random((count, len(scored))), np.nan) if scored.any() else None

    return scores
