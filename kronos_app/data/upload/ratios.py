"""How an amount compares to price times volume, which tells units that no header names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 5  # candles that show a unit
NEAR = 0.08  # of a power of ten: the average price of a candle is not far from its close
MOSTLY = 0.9


def ratios(amount: Floats, volume: Floats, close: Floats) -> Floats:
    """Return amount / (volume × close) of the candles that have all three, without those of zero."""
    with np.errstate(all="ignore"):
        ratio = amount / (volume * close)
    return ratio[np.isfinite(ratio) & (ratio > 0)]


def power_of_ten(ratio: Floats) -> int | None:
    """Return the power of ten that nearly all ratios are; None where they are none, or too few.

    Prices that were adjusted afterwards drift away from amounts, so theirs are none.
    """
    if len(ratio) < FEWEST:
        return None
    logarithms = np.log10(ratio)
    power = round(float(np.median(logarithms)))
    return power if float(np.mean(np.abs(logarithms - power) < NEAR)) >= MOSTLY else None


def is_money(amount: Floats, volume: Floats, close: Floats, *, counted: bool) -> bool:
    """Return whether one of two columns called volume is what the pieces in the other are worth.

    Parameters
    ----------
    counted
        Whether the other is called a number of pieces. Contracts then may be worth a multiple of their price.
    """
    ratio = ratios(amount, volume, close)
    if not len(ratio):
        return False
    off = abs(float(np.log10(np.median(ratio))))
    price = abs(float(np.log10(np.median(amount[volume > 0] / volume[volume > 0]))))
    return off < (1.3 if counted else 0.1) and off < price / 2
