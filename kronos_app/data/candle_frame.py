"""Candles of one instrument, as sources, store and services exchange them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.about import About

PRICES = ("open", "high", "low", "close")
FEATURES = (*PRICES, "volume", "amount")


@dataclass(frozen=True)
class CandleFrame:
    """Candles of one instrument, valid and ascending.

    Attributes
    ----------
    frame
        Column `timestamp` (naive datetime64[ns], exchange-local or UTC, strictly ascending), float64 `open high low
        close`, and `volume`, `amount` only where the source has them. RangeIndex.
    name
        Instrument or file, for display.
    source
        `upload`, `sample`, `api`, ...
    timezone
        IANA name or `UTC`, None if the source states none.
    about
        Symbol, adjustment, currency, calendar, origin.
    """

    frame: pd.DataFrame
    name: str
    source: str
    timezone: str | None = None
    about: About = field(default_factory=About)

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def timestamps(self) -> pd.DatetimeIndex:
        """Return the times of the candles."""
        return pd.DatetimeIndex(self.frame["timestamp"])

    @cached_property
    def utc(self) -> pd.DatetimeIndex:
        """Return the times in UTC; without a zone they are UTC already.

        A repeated local time is the earlier one, unless its neighbours show the later; a skipped one becomes the next.
        """
        from zoneinfo import ZoneInfoNotFoundError

        times = self.timestamps.as_unit("ns")
        zone = self.timezone or "UTC"
        first: npt.NDArray[np.bool_] = np.ones(len(times), dtype=bool)
        try:
            local = times.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
        except ZoneInfoNotFoundError:
            return times.tz_localize("UTC")
        except ValueError:  # half of a repeated hour
            local = times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
        return local.tz_convert("UTC")

    @property
    def symbol(self) -> str:
        """Return the symbol, or the name where the source states none."""
        return self.about.symbol or self.name

    @property
    def features(self) -> list[str]:
        """Return the feature columns that exist, in the model's order."""
        return [name for name in FEATURES if name in self.frame]

    @cached_property
    def interval(self) -> pd.Timedelta:
        """Return the most frequent step between two candles; zero for a single candle."""
        return most_frequent_step(self.timestamps)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of times and values, which does not depend on the name."""
        sha = hashlib.sha256(",".join(self.features).encode())
        sha.update(self.timestamps.to_numpy("datetime64[ns]").astype("<i8").tobytes())
        values = [self.frame[name].to_numpy("<f8") for name in self.features]
        sha.update(np.ascontiguousarray(np.array(values).T).tobytes())
        return sha.hexdigest()


def most_frequent_step(times: pd.DatetimeIndex) -> pd.Timedelta:
    """Return the most frequent step between ascending times, the shortest of several; zero if there is none."""
    steps = np.diff(times.as_unit("ns").asi8)
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return pd.Timedelta(int(lengths[counts.argmax()]), unit="ns") if len(lengths) else pd.Timedelta(0)
