"""Whether a vendor has changed candles it gave before: what was stored against the same stretch read again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from kronos_app.data.candle_frame import FEATURES, PRICES, CandleFrame

# Vendors compute adjusted prices anew for each answer, and the last digits differ.
SAME = 1e-6
# How far the factors of single candles may lie apart and still be one split or dividend.
ONE_FACTOR = 1e-3
# The oldest candles that both have say by how much older ones would differ.
COMPARED = 20


@dataclass(frozen=True)
class Revision:
    """How many of the candles that were `compared` have other prices now."""

    changed: int
    compared: int


def find(stored: CandleFrame, fresh: CandleFrame, settled: int) -> Revision | None:
    """Return what the vendor changed; None where nothing, or nothing that matters.

    Parameters
    ----------
    settled
        Nanoseconds UTC: candles from here on were new when they were stored, and trades that are reported late belong
        to them.
    """
    one, other = _by_time(stored), _by_time(fresh)
    both = pd.DatetimeIndex(one.index.intersection(other.index))
    both = both[both.as_unit("ns").asi8 < settled]
    prices = list(PRICES)
    before, after = (table.loc[both, prices].to_numpy(np.float64) for table in (one, other))
    same = np.isclose(before, after, rtol=SAME, atol=0, equal_nan=True).all(axis=1)
    changed = int((~same).sum())
    return Revision(changed, len(both)) if changed else None


def rescaled(older: CandleFrame, stored: CandleFrame, fresh: CandleFrame) -> tuple[CandleFrame, float] | None:
    """Return candles that the vendor no longer has in the units it uses now, and the factor of their prices.

    None where the oldest candles that both series have do not differ by one factor.

    Parameters
    ----------
    older, stored
        Candles before the first of `fresh`, and all that were stored.
    fresh
        The vendor's present answer.
    """
    one, other = _by_time(stored), _by_time(fresh)
    both = one.index.intersection(other.index)[:COMPARED]
    price = _factor(one.loc[both, list(PRICES)].to_numpy(), other.loc[both, list(PRICES)].to_numpy(), ONE_FACTOR)
    if price is None:
        return None
    changed = {name: older.frame[name] * price for name in PRICES}
    if "volume" in one and "volume" in other and "volume" in older.frame:
        # A split changes volumes the other way round; they are counted less exactly than prices.
        volume = _factor(one.loc[both, "volume"].to_numpy(), other.loc[both, "volume"].to_numpy(), 10 * ONE_FACTOR)
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
    present = [name for name in FEATURES if name in candles.frame]
    return candles.frame[present].set_axis(candles.utc.as_unit("ns"), axis=0)
