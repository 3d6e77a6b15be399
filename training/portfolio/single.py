"""Backtest of one instrument: long, flat or short by a score, executed at the open of the next candle."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from training.errors import DataError
from training.portfolio.records import Backtest
from training.portfolio.rules import SingleRule


def trade(candles: pd.DataFrame, score: pd.Series[float], rule: SingleRule, name: str) -> Backtest:
    """Return the backtest of a score on one instrument.

    The score of candle t is traded at the open of t + 1; on a candle without open, or without volume where volumes are
    known, no order is executed, and it waits. A score that is NaN changes nothing. A trade keeps its shares until it is
    closed; an account at 0 ends the strategy.

    `candles` has a column timestamp, ascending, open and close, optionally volume; `score` is by time of a candle.
    Raises DataError if no score belongs to a candle, or there is no candle after it.
    """
    frame = candles.set_index("timestamp")
    score = score.reindex(frame.index)
    if not np.isfinite(score).any():
        raise DataError("{symbol}: no score belongs to a candle.", symbol=name)
    first = int(np.isfinite(score.to_numpy()).argmax())
    frame, score = frame.iloc[first:], score.iloc[first:]
    if len(frame) < 2:
        raise DataError("{symbol}: there is no candle after the first score to trade on.", symbol=name)
    bars = _Bars.of(frame, score.to_numpy(np.float64), rule)
    settings = {"rule": asdict(rule), "instrument": name}
    return Backtest(_daily(bars, rule), _positions(bars, name), _orders(bars, name, rule), settings)


@dataclass(frozen=True, eq=False)
class _Bars:
    """Candles (T,) from the first score on, and the trades (K,) on them.

    `side` is the position from the open of each candle on: 1, 0 or -1. A trade begins at the open of candle `entries`
    and ends at that of `exits`, T where it is still open. `paid` is what it buys for, `closed_at` the value at which
    each finished trade was closed, `account` the account at the close of each candle.
    """

    times: pd.DatetimeIndex
    opened: np.ndarray
    closed: np.ndarray
    side: np.ndarray
    entries: np.ndarray
    exits: np.ndarray
    paid: np.ndarray
    account: np.ndarray
    rate: float

    @classmethod
    def of(cls, frame: pd.DataFrame, score: np.ndarray, rule: SingleRule) -> _Bars:
        """Return the trades of the rule."""
        opened = frame["open"].to_numpy(np.float64)
        closed = frame["close"].ffill().to_numpy(np.float64)
        side, rate = _side(score, _is_tradable(frame), rule), rule.cost + rule.slippage
        while True:
            entries, exits = _trades(side)
            growth = _growth(opened, side, entries, exits, rate)
            begun = rule.account * np.concatenate([[1.0], np.cumprod(growth)])
            paid = begun[:-1] / (1 + rate)
            account = _account(opened, closed, side, entries, begun, paid)
            ruined = np.flatnonzero(account <= 0)
            if not len(ruined) or not side[ruined[0] + 1 :].any():
                account = np.where(np.logical_or.accumulate(account <= 0), 0.0, account)
                return cls(pd.DatetimeIndex(frame.index), opened, closed, side, entries, exits, paid, account, rate)
            side = np.where(np.arange(len(side)) > ruined[0], 0.0, side)

    @property
    def trade(self) -> np.ndarray:
        """Return the number of the trade that each candle belongs to, or the last one before it."""
        return np.searchsorted(self.entries, np.arange(len(self.side)), side="right") - 1

    @property
    def shares(self) -> np.ndarray:
        """Return the shares held at the end of each candle, negative when short."""
        if not len(self.entries):
            return np.zeros(len(self.side))
        bought = self.paid / self.opened[self.entries]
        return np.asarray(self.side * bought[np.maximum(self.trade, 0)])

    @property
    def over(self) -> np.ndarray:
        """Return which trades are finished."""
        return np.asarray(self.exits < len(self.side))

    @property
    def closed_at(self) -> np.ndarray:
        """Return the value at which each finished trade was closed."""
        move = self.opened[self.exits[self.over]] / self.opened[self.entries[self.over]]
        return np.asarray(self.paid[self.over] * move)


def _side(score: np.ndarray, tradable: np.ndarray, rule: SingleRule) -> np.ndarray:
    """Return the position from the open of each candle on."""
    decided = np.where(score > rule.threshold, 1.0, 0.0)
    decided = np.where((score < -rule.threshold) & rule.short, -1.0, decided)
    decided = np.where(np.isfinite(score), decided, np.nan)
    ordered = pd.Series(decided).ffill().shift(fill_value=0.0)
    return ordered.where(pd.Series(tradable)).ffill().fillna(0.0).to_numpy()


def _is_tradable(frame: pd.DataFrame) -> np.ndarray:
    opened = frame["open"].to_numpy(np.float64)
    tradable = np.isfinite(opened) & (opened > 0) & np.isfinite(frame["close"].to_numpy(np.float64))
    if "volume" in frame:
        tradable &= ~(frame["volume"].to_numpy(np.float64) <= 0)
    return np.asarray(tradable)


def _trades(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the candles at whose open trades begin and end."""
    changes = np.flatnonzero(np.diff(side, prepend=0.0))
    ends = np.concatenate([changes[1:], [len(side)]])
    return changes[side[changes] != 0], ends[side[changes] != 0]


def _growth(opened: np.ndarray, side: np.ndarray, entries: np.ndarray, exits: np.ndarray, rate: float) -> np.ndarray:
    """Return the factor of each trade on the account; 1 for an open one."""
    over = exits < len(opened)
    move = opened[np.where(over, exits, 0)] / opened[entries]
    growth = (1 + side[entries] * (move - 1) - rate * move) / (1 + rate)
    return np.where(over, np.maximum(growth, 0.0), 1.0)


def _account(
    opened: np.ndarray, closed: np.ndarray, side: np.ndarray, entries: np.ndarray, begun: np.ndarray, paid: np.ndarray
) -> np.ndarray:
    """Return the account at the close of each candle."""
    trade = np.searchsorted(entries, np.arange(len(side)), side="right")
    if not len(entries):
        return begun[trade]
    latest = np.maximum(trade - 1, 0)
    held = paid[latest] * (1 + side * (closed / opened[entries[latest]] - 1))
    return np.where(side != 0, held, begun[trade])


def _daily(bars: _Bars, rule: SingleRule) -> pd.DataFrame:
    traded = np.zeros(len(bars.side))
    np.add.at(traded, bars.entries, bars.paid)
    np.add.at(traded, bars.exits[bars.over], bars.closed_at)
    value = bars.shares * bars.closed
    before = np.concatenate([[rule.account], bars.account[:-1]])
    alive = before > 0
    share = np.where(alive, traded / np.where(alive, before, 1.0), 0.0)
    net = np.where(alive, bars.account / np.where(alive, before, 1.0) - 1, 0.0)
    frame = pd.DataFrame(
        {
            "account": bars.account,
            "cash": bars.account - value,
            "value": value,
            "return": net + share * bars.rate,
            "cost": share * bars.rate,
            "turnover": share,
            "bench": pd.Series(bars.closed).pct_change().to_numpy(),
        },
        index=bars.times.rename("day"),
    )
    return frame.iloc[1:]


def _positions(bars: _Bars, name: str) -> pd.DataFrame:
    rows = np.flatnonzero(bars.side)
    value = bars.shares * bars.closed
    account = np.where(bars.account > 0, bars.account, np.nan)
    return pd.DataFrame(
        {
            "day": bars.times[rows],
            "instrument": name,
            "amount": bars.shares[rows],
            "price": bars.closed[rows],
            "weight": (value / account)[rows],
            "days": rows - bars.entries[bars.trade[rows]] + 1,
        }
    )


def _orders(bars: _Bars, name: str, rule: SingleRule) -> pd.DataFrame:
    at = np.concatenate([bars.entries, bars.exits[bars.over]])
    side = bars.side[bars.entries]
    value = np.concatenate([bars.paid, bars.closed_at])
    amount = value / bars.opened[at]
    frame = pd.DataFrame(
        {
            "day": bars.times[at],
            "instrument": name,
            "side": np.where(np.concatenate([side, -side[bars.over]]) > 0, "buy", "sell"),
            "ordered": amount,
            "amount": amount,
            "price": bars.opened[at],
            "value": value,
            "cost": value * bars.rate,
            "slippage": value * rule.slippage,
            "impact": 0.0,
            "commission": value * rule.cost,
        }
    )
    # When the side changes, a trade is closed before the next is opened.
    return frame.iloc[np.lexsort((np.arange(len(at)) < len(side), at))].reset_index(drop=True)
