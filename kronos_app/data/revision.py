"""Detects revisions: stored candles that a vendor now returns with other prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import PRICES, CandleFrame

SAME = 1e-6  # relative: vendors compute adjusted prices for each answer, and the last digits differ
ONE_FACTOR = 1e-3  # largest spread of the factors of single candles that are one split or dividend
COMPARED = 20  # oldest common candles, from which the factor of older ones is estimated


@dataclass(frozen=True)
class Revision:
    """The number of compared candles, and of those with other prices."""

    changed: int
    compared: int


def find(stored: CandleFrame, fresh: CandleFrame, settled: int) -> Revision | None:
    """Return the revision of common candles, None where prices are equal.

    Candles from `settled` (nanoseconds UTC) on are not compared, because late trades may still change them.
    """
    old, new = _by_time(stored), _by_time(fresh)
    both = pd.DatetimeIndex(old.index.intersection(new.index))
    both = both[both.as_unit("ns").asi8 < settled]
    before, after = (table.loc[both, list(PRICES)].to_numpy(np.float64) for table in (old, new))
    same = np.isclose(before, after, rtol=SAME, atol=0, equal_nan=True).all(axis=1)
    changed = int((~same).sum())
    return Revision(changed, len(both)) if changed else None


def rescaled(older: CandleFrame, stored: CandleFrame, fresh: CandleFrame) -> tuple[CandleFrame, float] | None:
    """Return stored candles before the first of `fresh` in its units, and the factor of their prices.

    None where the oldest common candles of `stored` and `fresh` do not differ by one factor.
    """
    old, new = _by_time(stored), _by_time(fresh)
    both = old.index.intersection(new.index)[:COMPARED]
    price = _factor(old.loc[both, list(PRICES)].to_numpy(), new.loc[both, list(PRICES)].to_numpy(), ONE_FACTOR)
    if price is None:
        return None
    changed = {name: older.frame[name] * price for name in PRICES}
    if "volume" in old and "volume" in new and "volume" in older.frame:
        # A split changes volumes by the inverse factor; they are less exact than prices.
        volume = _factor(old.loc[both, "volume"].to_numpy(), new.loc[both, "volume"].to_numpy(), 10 * ONE_FACTOR)
        changed["volume"] = older.frame["volume"] * (1.0 if volume is None else volume)
    return replace(older, frame=older.frame.assign(**changed)), price


def _factor(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], tolerance: float) -> float | None:
    usable = np.isfinite(before) & np.isfinite(after) & (before > 0) & (after > 0)
    if not usable.any():
        return None
    ratios = after[usable] / before[usable]
    middle = float(np.median(ratios))
    return middle if bool((np.abs(ratios / middle - 1) <= tolerance).all()) else None


def _by_time(candles: CandleFrame) -> pd.DataFrame:
    return candles.frame[candles.features].set_axis(candles.utc.as_unit("ns"), axis=0)
