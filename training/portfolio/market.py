"""Quotes as Qlib's exchange has them, as arrays of days by instruments, and the costs of orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from training.errors import DataError
from training.portfolio.rules import Dealing

NO_PRICE = 1e-8  # at or below it, Qlib uses the close


@dataclass(frozen=True, eq=False)
class Market:
    """Quotes (D, N) of the days that are traded."""

    days: pd.DatetimeIndex  # traded days (D,), ascending
    before: pd.Timestamp | None  # the trading day before, whose signal is traded on the first; None without one
    instruments: tuple[str, ...]  # names (N,), ascending
    close: np.ndarray  # NaN where nothing was traded
    price: np.ndarray  # execution price: the close where the field is missing
    volume: np.ndarray  # NaN where it is unknown
    blocked: np.ndarray  # whether a limit prevents orders
    factor: np.ndarray | None  # adjustment of prices and shares; None where orders cannot be rounded to lots with it

    @classmethod
    def of_quotes(cls, quotes: pd.DataFrame, days: pd.DatetimeIndex, before: pd.Timestamp | None) -> Market:
        """Return the market of a frame by (instrument, datetime).

        Its columns are close, price, volume, factor, limit_buy and limit_sell.
        """
        instruments = tuple(sorted(quotes.index.get_level_values(0).unique()))

        def wide(column: pd.Series) -> pd.DataFrame:
            return column.unstack(level=0).reindex(index=days, columns=list(instruments))

        close, price, volume, factor = (
            wide(quotes[field]).to_numpy(np.float64) for field in ("close", "price", "volume", "factor")
        )
        price = np.where(np.isnan(price) | (price <= NO_PRICE), close, price)
        blocked = wide(quotes["limit_buy"] | quotes["limit_sell"]).fillna(True).to_numpy(bool)
        no_factor = (quotes["factor"].isna() & quotes["close"].notna()).any()
        return cls(days, before, instruments, close, price, volume, blocked, None if no_factor else factor)

    @classmethod
    def of_candles(cls, universe: Mapping[str, pd.DataFrame], dealing: Dealing) -> Market:
        """Return the market of candle frames with a column timestamp and the field `dealing.deal_price`.

        The first day only gives a signal. A move is that of the close since the previous candle; there is no factor.
        Raises DataError if no frame has that field.
        """
        names = tuple(sorted(universe))
        frames = {name: universe[name].set_index("timestamp") for name in names}
        calendar = pd.DatetimeIndex(sorted(set().union(*(frame.index for frame in frames.values()))))

        def wide(field: str) -> pd.DataFrame:
            columns = {n: f[field] if field in f else pd.Series(np.nan, f.index) for n, f in frames.items()}
            return pd.DataFrame(columns).reindex(calendar)

        if not any(dealing.deal_price in frame for frame in frames.values()):
            raise DataError("The candles have no field {field} for the execution price.", field=dealing.deal_price)
        close, volume, price = wide("close"), wide("volume"), wide(dealing.deal_price)
        blocked = (volume <= 0) | close.isna()
        if dealing.limit_threshold is not None:
            blocked |= (close / close.shift() - 1).abs() >= dealing.limit_threshold
        price = price.where(price > NO_PRICE, close)
        close_, price_, volume_, blocked_ = (table.to_numpy()[1:] for table in (close, price, volume, blocked))
        return cls(calendar[1:], calendar[0], names, close_, price_, volume_, blocked_, None)

    def between(self, before: pd.Timestamp, last: pd.Timestamp, names: Sequence[str]) -> Market:
        """Return some instruments on the days after `before`, whose signal is traded first, up to and with `last`."""
        rows = (self.days > before) & (self.days <= last)
        chosen = tuple(sorted(names))
        where = np.ix_(rows, np.isin(self.instruments, chosen))
        arrays = (self.close[where], self.price[where], self.volume[where], self.blocked[where])
        return Market(self.days[rows], before, chosen, *arrays, None if self.factor is None else self.factor[where])

    @cached_property
    def tradable(self) -> np.ndarray:
        """Return where orders can be executed, bool (D, N)."""
        return np.asarray(~np.isnan(self.close) & ~self.blocked)

    @cached_property
    def mark(self) -> np.ndarray:
        """Return the value of a share at the end of each day (D, N): the latest close."""
        return np.asarray(pd.DataFrame(self.close).ffill())

    def panel(self, signal: pd.Series[float]) -> np.ndarray:
        """Return the scores that are traded on each day, those of the day before (D, N), NaN where there are none."""
        signal_days = pd.DatetimeIndex([self.before, *self.days[:-1]])
        wide = signal.unstack(level="instrument").reindex(index=signal_days, columns=list(self.instruments))
        return np.asarray(wide, dtype=np.float64)


def closes(universe: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the closes of candle frames by day and instrument, NaN where an instrument has no candle."""
    series = {name: universe[name].set_index("timestamp")["close"] for name in sorted(universe)}
    return pd.DataFrame(series).sort_index()


def ranked(signal: pd.Series[float]) -> pd.Series[float]:
    """Return a signal by (datetime, instrument) as ranks of each day, 1 the lowest, without scores that are not finite.

    TopkDropout uses the order alone. Equal scores are ordered by name, the first of them highest, where Qlib's own
    order is that of a hash.
    """
    clean = signal[np.isfinite(signal)].sort_index(level=["datetime", "instrument"], ascending=[True, False])
    return clean.groupby(level="datetime").rank(method="first").sort_index()


def split_costs(trades: pd.DataFrame, market: Market, dealing: Dealing) -> pd.DataFrame:
    """Return the orders with the parts of their costs; what a minimum commission adds is commission."""
    executed = trades["value"] > 0
    row = market.days.get_indexer(pd.DatetimeIndex(trades["day"]))
    column = pd.Index(market.instruments).get_indexer(pd.Index(trades["instrument"]))
    turnover = market.volume[row, column] * market.price[row, column]
    ordered = trades["ordered"] * trades["price"]
    impact = dealing.impact * trades["value"] * share_squared(ordered.to_numpy(np.float64), turnover)
    slippage = dealing.slippage * trades["value"]
    parts = {"slippage": slippage, "impact": impact, "commission": trades["cost"] - slippage - impact}
    return trades.assign(**{name: part.where(executed, 0.0) for name, part in parts.items()})


def share_squared(value: np.ndarray, turnover: np.ndarray) -> np.ndarray:
    """Return the squared share of the day's turnover, 1 where it is unknown, as in Qlib."""
    known = np.isfinite(turnover) & (turnover != 0)
    return np.where(known, (value / np.where(known, turnover, 1.0)) ** 2, 1.0)
