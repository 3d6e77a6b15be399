"""One instrument: long, flat or short by a score, dealt at the open of the next candle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.errors import ConfigError, DataError, message
from training.portfolio.records import Backtest


@dataclass(frozen=True)
class SingleRule:
    """Long above the threshold, short below its negative, flat between.

    Parameters
    ----------
    threshold
        In units of the score, 0 or more.
    short
        Whether to go short; else flat.
    account
        Money to begin with; all of it is put in.
    cost
        Share of the value dealt, when buying as when selling.
    slippage
        How much worse than the open an order is filled, as a share.

    Raises
    ------
    ConfigError
        A value is out of range; names the field.
    """

    threshold: float = 0.0
    short: bool = False
    account: float = 1e6
    cost: float = 0.0005
    slippage: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.threshold) and self.threshold >= 0):
            raise ConfigError(message("{field}={value} must be 0 or more.", field="threshold", value=self.threshold))
        if not (np.isfinite(self.account) and self.account > 0):
            raise ConfigError(message("{field}={value} must be above 0.", field="account", value=self.account))
        for field in ("cost", "slippage"):
            if not 0 <= getattr(self, field) < 0.5:
                raise ConfigError(
                    message("{field}={value} must lie between 0 and 0.5.", field=field, value=getattr(self, field))
                )


def trade(candles: pd.DataFrame, score: pd.Series[float], rule: SingleRule, name: str) -> Backtest:
    """Return what a score earns on one instrument.

    A score of candle t is dealt at the open of t + 1; a candle without open, or without volume where volumes are known,
    deals nothing, and the order waits. A score that is no number decides nothing. A trade keeps its shares until it is
    closed; what is lost beyond the account ends the strategy.

    Parameters
    ----------
    candles
        Column timestamp, ascending, open and close, optionally volume.
    score
        By time of a candle.

    Raises
    ------
    DataError
        No score belongs to a candle, or candles cannot be used.
    """
    frame = candles.set_index("timestamp")
    score = score.reindex(frame.index)
    if not np.isfinite(score).any():
        raise DataError(message("{symbol}: no score belongs to a candle.", symbol=name))
    first = int(np.isfinite(score.to_numpy()).argmax())
    frame, score = frame.iloc[first:], score.iloc[first:]
    if len(frame) < 2:
        raise DataError(message("{symbol}: there is no candle after the first score to trade on.", symbol=name))
    bars = _Bars.of(frame, score.to_numpy(np.float64), rule)
    settings: dict[str, Any] = {"rule": asdict(rule), "instrument": name}
    return Backtest(_daily(bars, rule), _positions(bars, name), _orders(bars, name, rule), settings)


@dataclass(frozen=True, eq=False)
class _Bars:
    """Candles (T,) from the first score on, and the trades (K,) made on them.

    `side` is what is held from the open of each candle on: 1, 0 or -1. `entries` and `exits` are the candles at whose
    open a trade begins and ends, T where it is still on; `begun` is the account before it, `paid` what it buys for.
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
        """Return what the rule does."""
        opened = frame["open"].to_numpy(np.float64)
        closed = frame["close"].ffill().to_numpy(np.float64)
        side, rate = _held(score, _dealable(frame), rule), rule.cost + rule.slippage
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
        """Return what is held at the end of each candle, negative when short."""
        if not len(self.entries):
            return np.zeros(len(self.side))
        bought = self.paid / self.opened[self.entries]
        return np.asarray(self.side * bought[np.maximum(self.trade, 0)])


def _held(score: np.ndarray, dealable: np.ndarray, rule: SingleRule) -> np.ndarray:
    """Return what is held from the open of each candle on."""
    wish = np.where(score > rule.threshold, 1.0, 0.0)
    wish = np.where((score < -rule.threshold) & rule.short, -1.0, wish)
    wish = np.where(np.isfinite(score), wish, np.nan)
    wanted = pd.Series(wish).ffill().shift(fill_value=0.0)
    return wanted.where(pd.Series(dealable)).ffill().fillna(0.0).to_numpy()


def _dealable(frame: pd.DataFrame) -> np.ndarray:
    opened = frame["open"].to_numpy(np.float64)
    there = np.isfinite(opened) & (opened > 0) & np.isfinite(frame["close"].to_numpy(np.float64))
    if "volume" in frame:
        there &= ~(frame["volume"].to_numpy(np.float64) <= 0)
    return np.asarray(there)


def _trades(side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the candles at whose open trades begin and end."""
    changes = np.flatnonzero(np.diff(side, prepend=0.0))
    ends = np.concatenate([changes[1:], [len(side)]])
    return changes[side[changes] != 0], ends[side[changes] != 0]


def _growth(opened: np.ndarray, side: np.ndarray, entries: np.ndarray, exits: np.ndarray, rate: float) -> np.ndarray:
    """Return by what each trade multiplies the account; 1 for the one that is still on."""
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
    over = bars.exits[bars.exits < len(bars.side)]
    left = _left(bars)
    dealt = np.zeros(len(bars.side))
    np.add.at(dealt, bars.entries, bars.paid)
    np.add.at(dealt, over, left)
    value = bars.shares * bars.closed
    before = np.concatenate([[rule.account], bars.account[:-1]])
    alive = before > 0
    share = np.where(alive, dealt / np.where(alive, before, 1.0), 0.0)
    earned = np.where(alive, bars.account / np.where(alive, before, 1.0) - 1, 0.0)
    frame = pd.DataFrame(
        {
            "account": bars.account,
            "cash": bars.account - value,
            "value": value,
            "return": earned + share * bars.rate,
            "cost": share * bars.rate,
            "turnover": share,
            "bench": pd.Series(bars.closed).pct_change().to_numpy(),
        },
        index=bars.times.rename("day"),
    )
    return frame.iloc[1:]


def _left(bars: _Bars) -> np.ndarray:
    """Return the value at which each trade that is over was closed."""
    over = bars.exits < len(bars.side)
    entries, exits = bars.entries[over], bars.exits[over]
    return np.asarray(bars.paid[over] * bars.opened[exits] / bars.opened[entries])


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
    over = bars.exits < len(bars.side)
    at = np.concatenate([bars.entries, bars.exits[over]])
    way = bars.side[bars.entries]
    value = np.concatenate([bars.paid, _left(bars)])
    amount = value / bars.opened[at]
    frame = pd.DataFrame(
        {
            "day": bars.times[at],
            "instrument": name,
            "side": np.where(np.concatenate([way, -way[over]]) > 0, "buy", "sell"),
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
    # A trade that turns round is closed before the next is opened.
    return frame.iloc[np.lexsort((np.arange(len(at)) < len(way), at))].reset_index(drop=True)
