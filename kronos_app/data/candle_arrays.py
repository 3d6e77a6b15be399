"""The columns of candles as arrays, which are faster than frames for the thousands of short series in a file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kronos_app.data.candle_frame import FEATURES, PRICES

UNKNOWN = np.iinfo(np.int64).min  # NumPy's value for a missing time


@dataclass(frozen=True)
class CandleArrays:
    """Times and values of a frame, in its order.

    Attributes
    ----------
    rows
        The frame's index.
    times
        `(n,)` nanoseconds, `UNKNOWN` where missing; empty without a time column.
    prices, amounts, volume
        `(4, n)` open, high, low and close; `(k, n)` the columns volume and amount that exist; `(n,)` volume or None.
    """

    rows: pd.Index[int]
    times: NDArray[np.int64]
    prices: NDArray[np.float64]
    amounts: NDArray[np.float64]
    volume: NDArray[np.float64] | None

    @classmethod
    def of(cls, frame: pd.DataFrame) -> CandleArrays:
        """Return the columns of `frame`."""
        present = frozenset(frame.columns)
        times = (
            frame["timestamp"].to_numpy("datetime64[ns]").view(np.int64)
            if "timestamp" in present
            else np.empty(0, dtype=np.int64)
        )
        amounts = {name: frame[name].to_numpy(np.float64) for name in FEATURES[4:] if name in present}
        return cls(
            rows=frame.index,
            times=times,
            prices=np.array([frame[name].to_numpy(np.float64) for name in PRICES]),
            amounts=np.array(list(amounts.values()), dtype=np.float64).reshape(len(amounts), len(frame)),
            volume=amounts.get("volume"),
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ascending(self) -> bool:
        """Return whether every row has a time later than that of the row before."""
        times = self.times
        return bool(len(times)) and bool(times[0] != UNKNOWN) and bool((times[1:] > times[:-1]).all())
