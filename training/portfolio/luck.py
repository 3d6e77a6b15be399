"""What a strategy is to be measured by: luck, equal weights, momentum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.errors import DataError, Message, message
from training.portfolio.market import Market, ranked
from training.portfolio.rules import Dealing, TopkRule
from training.portfolio.vectorised import Scores, Simulation, of_signal, simulate

OnStep = Callable[[int, int], object]
BATCH = 100  # strategies at a time: bounds the memory
USUAL = 0.95  # a share of luck below which nobody should be impressed


@dataclass(frozen=True, eq=False)
class Luck:
    """What random signals earned through the same rule, on the same days and among the same instruments.

    Attributes
    ----------
    earned
        Return of the whole time after costs, of each random signal (count,), ascending.
    strategy
        That of the strategy.
    account
        Quantiles 0.05, 0.25, 0.5, 0.75 and 0.95 of the account by day, to be drawn behind the strategy's.
    """

    earned: np.ndarray
    strategy: float
    account: pd.DataFrame

    @property
    def percentile(self) -> float:
        """Return the share of random signals that earned less, those that earned the same counted by half."""
        below, same = (self.earned < self.strategy).mean(), (self.earned == self.strategy).mean()
        return float(below + same / 2)

    @property
    def verdict(self) -> Message:
        """Return one sentence."""
        share = f"{self.percentile:.0%}"
        if self.percentile >= USUAL:
            return message(
                "It earned more than {share} of {count} random signals.", share=share, count=len(self.earned)
            )
        return message(
            "It earned more than {share} of {count} random signals: luck alone may do as well.",
            share=share,
            count=len(self.earned),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        days = [f"{day:%Y-%m-%d}" for day in self.account.index]
        return {
            "earned": self.earned.tolist(),
            "strategy": self.strategy,
            "percentile": self.percentile,
            "verdict": self.verdict.to_dict(),
            "account": {"days": days, **{str(level): column.tolist() for level, column in self.account.items()}},
        }


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
    """Return where a signal stands among random ones.

    Parameters
    ----------
    signal
        By (datetime, instrument). A random signal has scores where it has them, nowhere else.
    count
        Number of random signals.
    seed
        The same seed gives the same ones.
    on_step
        Called with (done, total) signals; may raise to cancel.

    Raises
    ------
    DataError
        `count` is below 1.
    """
    if count < 1:
        raise DataError(message("{field}={value} must be a whole number from 1 on.", field="count", value=count))
    ranks = ranked(signal)
    strategy = simulate(market, of_signal(market, ranks), 1, rule, dealing).account[:, 0]
    accounts = np.empty((len(market.days), count))
    for first in range(0, count, BATCH):
        some = min(BATCH, count - first)
        scores = _random(market.panel(ranks), some, np.random.default_rng([seed, first]))
        accounts[:, first : first + some] = simulate(market, scores, some, rule, dealing).account
        if on_step:
            on_step(first + some, count)
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = pd.DataFrame(np.quantile(accounts, levels, axis=1).T, index=market.days, columns=levels)
    earned = np.sort(accounts[-1] / dealing.account - 1)
    return Luck(earned, float(strategy[-1] / dealing.account - 1), quantiles)


def _random(panel: np.ndarray, count: int, rng: np.random.Generator) -> Scores:
    """Return random scores of `count` strategies where `panel` (D, N) has scores."""

    def scores(day: int) -> np.ndarray | None:
        scored = np.isfinite(panel[day])
        if not scored.any():
            return None
        return np.where(scored, rng.random((count, len(scored))), np.nan)

    return scores


def compared(market: Market, signal: pd.Series[float], rule: TopkRule, dealing: Dealing) -> Simulation:
    """Return what another signal, such as momentum, earns through the same rule."""
    return simulate(market, of_signal(market, ranked(signal)), 1, rule, dealing)


def equal_weight(market: Market) -> pd.Series[float]:
    """Return by day the mean return of all instruments that have a close now and before: no rule, no costs."""
    known = np.vstack([np.full(len(market.instruments), np.nan), market.mark[:-1]])
    moves = pd.DataFrame(market.close / known - 1, index=market.days)
    return moves.mean(axis=1).fillna(0.0).rename("equal_weight")
