"""Quotes as Qlib's exchange saw them, as arrays of days by instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from training.errors import DataError, message
from training.portfolio.rules import Dealing

NO_PRICE = 1e-8  # at or below, Qlib deals at the close


@dataclass(frozen=True, eq=False)
class Market:
    """Quotes (D, N) of the days that are traded.

    Attributes
    ----------
    days
        Days that are traded (D,), ascending.
    before
        The trading day before the first: its signal is traded on the first; None where there is none.
    instruments
        Names (N,), ascending.
    close
        NaN where nothing was traded.
    price
        What orders are dealt at: the close where the field is missing.
    volume
        NaN where it is not known.
    blocked
        Whether a limit keeps an instrument from being dealt on a day.
    factor
        Adjustment of prices and shares; None where orders cannot be rounded to a unit by it.
    """

    days: pd.DatetimeIndex
    before: pd.Timestamp | None
    instruments: tuple[str, ...]
    close: np.ndarray
    price: np.ndarray
    volume: np.ndarray
    blocked: np.ndarray
    factor: np.ndarray | None

    @classmethod
    def of_quotes(cls, quotes: pd.DataFrame, days: pd.DatetimeIndex, before: pd.Timestamp | None) -> Market:
        """Return the market of a frame by (instrument, datetime).

        Its columns are close, price, volume, factor, limit_buy and limit_sell.
        """
        instruments = tuple(sorted(quotes.index.get_level_values(0).unique()))

        def wide(field: str) -> pd.DataFrame:
            return quotes[field].unstack(level=0).reindex(index=days, columns=list(instruments))

        close = wide("close").to_numpy(np.float64)
        price = wide("price").to_numpy(np.float64)
        blocked = (quotes["limit_buy"] | quotes["limit_sell"]).unstack(level=0)
        blocked = blocked.reindex(index=days, columns=list(instruments)).fillna(True)
        has_factor = not (quotes["factor"].isna() & quotes["close"].notna()).any()
        return cls(
            days,
            before,
            instruments,
            close,
            np.where(np.isnan(price) | (price <= NO_PRICE), close, price),
            wide("volume").to_numpy(np.float64),
            blocked.to_numpy(bool),
            wide("factor").to_numpy(np.float64) if has_factor else None,
        )

    @classmethod
    def of_candles(cls, universe: Mapping[str, pd.DataFrame], dealing: Dealing) -> Market:
        """Return the market of candle frames with a column timestamp and the field `dealing.deal_price`.

        The first day only gives a signal. A move is that of the close since the candle before; no factor is known.

        Raises
        ------
        DataError
            No frame has that field.
        """
        names = tuple(sorted(universe))
        frames = {name: universe[name].set_index("timestamp") for name in names}
        calendar = pd.DatetimeIndex(sorted(set().union(*(frame.index for frame in frames.values()))))

        def wide(field: str) -> pd.DataFrame:
            columns = {n: f[field] if field in f else pd.Series(np.nan, f.index) for n, f in frames.items()}
            return pd.DataFrame(columns).reindex(calendar)

        if not any(dealing.deal_price in frame for frame in frames.values()):
            raise DataError(message("The candles have no field {field} to deal at.", field=dealing.deal_price))
        close, volume = wide("close"), wide("volume")
        move = close / close.shift() - 1
        blocked = (volume <= 0) | close.isna()
        if dealing.limit_threshold is not None:
            blocked |= move.abs() >= dealing.limit_threshold
        price = wide(dealing.deal_price)
        price = price.where(price > NO_PRICE, close)
        arrays = [frame.to_numpy()[1:] for frame in (close, price, volume, blocked)]
        return cls(calendar[1:], calendar[0], names, arrays[0], arrays[1], arrays[2], arrays[3], None)

    def between(self, before: pd.Timestamp, last: pd.Timestamp) -> Market:
        """Return the days after `before`, whose signal is traded on the first of them, up to and including `last`."""
        return self._part((self.days > before) & (self.days <= last), self.instruments, before)

    def of(self, names: Sequence[str]) -> Market:
        """Return some instruments alone."""
        chosen = tuple(sorted(names))
        return self._part(np.ones(len(self.days), dtype=bool), chosen, self.before)

    def _part(self, rows: np.ndarray, names: tuple[str, ...], before: pd.Timestamp | None) -> Market:
        where = np.ix_(rows, np.isin(self.instruments, names))
        arrays = (self.close[where], self.price[where], self.volume[where], self.blocked[where])
        return Market(self.days[rows], before, names, *arrays, None if self.factor is None else self.factor[where])

    @cached_property
    def tradable(self) -> np.ndarray:
        """Return where orders can be dealt, bool (D, N)."""
        return np.asarray(~np.isnan(self.close) & ~self.blocked)

    @cached_property
    def mark(self) -> np.ndarray:
        """Return what a holding is worth a share at the end of each day (D, N): the last close there was."""
        return np.asarray(pd.DataFrame(self.close).ffill())

    @cached_property
    def signal_days(self) -> list[pd.Timestamp | None]:
        """Return for each traded day the day whose signal is traded on it."""
        return [self.before, *self.days[:-1]]

    def panel(self, signal: pd.Series[float]) -> np.ndarray:
        """Return the scores that are traded on each day (D, N), NaN where there are none."""
        wide = signal.unstack(level="instrument")
        wide = wide.reindex(index=pd.DatetimeIndex(self.signal_days), columns=list(self.instruments))
        return np.asarray(wide, dtype=np.float64)


def closes(universe: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the closes of candle frames by day and instrument, NaN where an instrument has no candle."""
    series = {name: universe[name].set_index("timestamp")["close"] for name in sorted(universe)}
    return pd.DataFrame(series).sort_index()


def ranked(signal: pd.Series[float]) -> pd.Series[float]:
    """Return a signal by (datetime, instrument) as ranks of each day, 1 the lowest; without what is not finite.

    TopkDropout looks at the order alone. Equal scores are put in the order of the instruments' names, the first of them
    highest, where Qlib's own order is that of a hash.
    """
    clean = signal[np.isfinite(signal)].sort_index(level=["datetime", "instrument"], ascending=[True, False])
    return clean.groupby(level="datetime").rank(method="first").sort_index()
