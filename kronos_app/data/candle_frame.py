"""The one shape in which candles travel between sources, store and services."""

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
    """Candles of one instrument, checked and ascending in time.

    Attributes
    ----------
    frame
        Column `timestamp` (naive datetime64[ns], exchange-local or UTC, strictly ascending), float64 `open high low
        close`, and `volume`, `amount` only where the source has them. RangeIndex.
    name
        Instrument or file, as shown to the user.
    source
        `upload`, `sample`, `api`, ...
    timezone
        IANA name or `UTC` where the source stated one.
    about
        What else is known: symbol, adjustment, currency, calendar, origin.
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
        """Return the candles' times."""
        return pd.DatetimeIndex(self.frame["timestamp"])

    @cached_property
    def utc(self) -> pd.DatetimeIndex:
        """Return the candles' times in UTC; without a zone they count as UTC.

        A time that the clocks repeat is the earlier of the two, unless its neighbours say otherwise; one that they skip
        is the next there is.
        """
        from zoneinfo import ZoneInfoNotFoundError

        times = self.timestamps.as_unit("ns")
        zone = self.timezone or "UTC"
        first: npt.NDArray[np.bool_] = np.ones(len(times), dtype=bool)
        try:
            local = times.tz_localize(zone, ambiguous="infer", nonexistent="shift_forward")
        except ZoneInfoNotFoundError:
            return times.tz_localize("UTC")
        except ValueError:  # A repeated hour of which only half is there cannot be inferred.
            local = times.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
        return local.tz_convert("UTC")

    @property
    def features(self) -> list[str]:
        """Return the feature columns present, in the model's order."""
        return [name for name in FEATURES if name in self.frame]

    @cached_property
    def interval(self) -> pd.Timedelta:
        """Return the most frequent step between two candles; zero for a single candle."""
        return most_frequent_step(self.timestamps)

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of times and values: equal candles, equal digest, whatever the file was called."""
        sha = hashlib.sha256(",".join(self.features).encode())
        sha.update(self.timestamps.to_numpy("datetime64[ns]").astype("<i8").tobytes())
        values = [self.frame[name].to_numpy("<f8") for name in self.features]
        sha.update(np.ascontiguousarray(np.array(values).T).tobytes())
        return sha.hexdigest()


def most_frequent_step(times: pd.DatetimeIndex) -> pd.Timedelta:
    """Return the most frequent step between ascending times, the shortest of several; zero where there is none."""
    steps = np.diff(times.as_unit("ns").asi8)
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return pd.Timedelta(int(lengths[counts.argmax()]), unit="ns") if len(lengths) else pd.Timedelta(0)
