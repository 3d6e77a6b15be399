"""Candles that stand out from their neighbours: bad ticks, and levels that never come back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kronos_app.data.candle_frame import PRICES

Mask = NDArray[np.bool_]
Numbers = NDArray[np.float64]

# Thresholds are in robust standard deviations of the log returns around a candle. Real markets go far: among five
# million candles of shares, currencies, indices and coins, one series in three has a move of more than fifteen of them.
# A bad tick leaves its neighbours and is gone with the next candle: that is required, too.
# With these figures one daily series in forty has an outlier, nearly all of them misprints or the two American flash
# crashes, and of 380 coins and Chinese shares by the quarter of an hour two.
SPIKE = 20.0  # a close there and back within one candle
WICK = 40.0  # a high or low beyond everything around it: trading halts and stop runs reach thirty
LEAST = 0.05  # below five per cent nothing is called a bad tick, however quiet the market is
JUMP = 25.0  # a new level from one candle to the next
LEAST_JUMP = 0.35  # of the logarithm: what a daily limit of ten or twenty per cent allows is no finding
RETURN = 0.25  # of the way there may be left after the way back
BLOCK = 64  # candles a deviation is taken from, and as many on either side: the loudest of the three counts
TO_DEVIATION = 1.4826  # of a normal distribution, from its median absolute value


@dataclass(frozen=True)
class Prices:
    """The prices of fault-free candles in the order of time, as logarithms."""

    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers

    @classmethod
    def of(cls, values: Numbers) -> Prices:
        """Return the logarithms of `values`, one column each for open, high, low and close."""
        return cls(*np.log(values[:, : len(PRICES)]).T.copy())

    @property
    def top(self) -> Numbers:
        """Return the upper end of each body."""
        return np.maximum(self.open, self.close)

    @property
    def bottom(self) -> Numbers:
        """Return the lower end of each body."""
        return np.minimum(self.open, self.close)


def deviations(close: Numbers) -> Numbers:
    """Return the robust standard deviation of the log returns around each candle, never zero.

    The median of absolute returns in blocks of 64 candles; of three blocks the loudest counts, so that a market that
    wakes up is not measured by its sleep. A market that hardly moves is measured by the upper half of its moves.
    """
    moves = np.abs(np.diff(close, prepend=close[:1]))
    moving = moves[moves > 0]
    if not len(moving):
        return np.full(len(close), np.inf)
    least = 0.5 * TO_DEVIATION * float(np.median(moving))
    short = len(moves) % BLOCK  # the block that may be short is the first: the last candles are those in use
    medians = np.median(moves[short:].reshape(-1, BLOCK), axis=1)
    if short:
        medians = np.concatenate([[np.median(moves[:short])], medians])
    loudest = medians.copy()
    np.maximum(loudest[1:], medians[:-1], out=loudest[1:])
    np.maximum(loudest[:-1], medians[1:], out=loudest[:-1])
    spread = np.maximum(TO_DEVIATION * loudest, least)
    return np.asarray(np.repeat(spread, BLOCK)[-len(moves) :])


def spikes(prices: Prices, deviation: Numbers) -> Mask:
    """Return the candles whose close leaves the close before and returns with the next."""
    mask = np.zeros(len(prices.close), dtype=bool)
    if len(mask) < 3:
        return mask
    there, back = np.diff(prices.close)[:-1], np.diff(prices.close)[1:]
    way = np.minimum(np.abs(there), np.abs(back))
    returned = np.abs(there + back) <= RETURN * np.maximum(np.abs(there), np.abs(back))
    mask[1:-1] = returned & (way > np.maximum(SPIKE * deviation[1:-1], LEAST))
    return mask


def wicks(prices: Prices, deviation: Numbers) -> Mask:
    """Return the candles whose high or low lies far beyond their body and both neighbours."""
    above = prices.high - np.maximum(prices.top, _beside(prices.high, np.maximum, -np.inf))
    below = np.minimum(prices.bottom, _beside(prices.low, np.minimum, np.inf)) - prices.low
    mask: Mask = np.maximum(above, below) > np.maximum(WICK * deviation, LEAST)
    return mask


def jumps(prices: Prices, deviation: Numbers) -> Mask:
    """Return the candles that open a level far from the close before, and stay there."""
    mask = np.zeros(len(prices.close), dtype=bool)
    move = np.abs(np.diff(prices.close))
    gap = np.abs(prices.open[1:] - prices.close[:-1])
    mask[1:] = np.minimum(move, gap) > np.maximum(JUMP * deviation, LEAST_JUMP)[1:]
    if mask.any():
        outlier = spikes(prices, deviation)
        mask &= ~outlier
        mask[1:] &= ~outlier[:-1]
    return mask


def _beside(values: Numbers, most: np.ufunc, nothing: float) -> Numbers:
    """Return the larger (or smaller) of the values before and after each."""
    beside = np.empty((2, len(values)))
    beside[0, 0] = beside[1, -1] = nothing
    beside[0, 1:], beside[1, :-1] = values[:-1], values[1:]
    return np.asarray(most(*beside))
