"""Splits that prices were not adjusted for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kronos_app.data.checks.returns import Numbers, Prices

# New shares for one old share. Fewer than three for two cannot be told from an ordinary bad night.
RATIOS = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0, 1000.0)
_LOGARITHMS = np.log(np.array([*RATIOS, *(1 / ratio for ratio in RATIOS)]))
NEAR = 0.05  # of the logarithm: a market moves overnight, too
FAR = 12.0  # robust standard deviations: a coin or a penny share that halves now and then has no split each time
AROUND = 10  # candles on either side that the level and the volume are taken from
STAYS = 0.2  # of the logarithm of the ratio: how far the level after may be from what the ratio says
# Times the usual volume of the candles that follow. A price that halves on news is traded five times as much that day
# as on those after it, or twenty times; on 34 real splits it never was more than 3.1 times.
NEWS = 4.0


@dataclass(frozen=True)
class Split:
    """The first candle after a split, by position, and how many new shares replaced one (below 1: a reverse split)."""

    position: int
    ratio: float

    @property
    def shares(self) -> tuple[int, int]:
        """Return new and old shares in whole numbers: 3 for 2, 1 for 10."""
        ratio = self.ratio if self.ratio >= 1 else 1 / self.ratio
        new, old = (round(2 * ratio), 2) if ratio != round(ratio) else (round(ratio), 1)
        return (new, old) if self.ratio >= 1 else (old, new)


def find_splits(prices: Prices, deviation: Numbers, volume: Numbers | None) -> list[Split]:
    """Return the splits, by their order in time.

    The open must lie away from the close before by nearly the logarithm of a usual ratio, the level must stay there,
    and the candle must be traded like those that follow: a split happens on paper, news brings the crowd.
    """
    gap = np.zeros(len(prices.close))
    gap[1:] = prices.open[1:] - prices.close[:-1]
    splits = []
    far = np.abs(gap) > np.maximum(FAR * deviation, np.log(RATIOS[0]) - NEAR)
    for at in np.flatnonzero(far).tolist():
        nearest = float(_LOGARITHMS[np.argmin(np.abs(_LOGARITHMS + gap[at]))])
        if (
            abs(nearest + gap[at]) <= NEAR
            and abs(change_of_level(prices.close, at) + nearest) <= max(STAYS * abs(nearest), 2 * NEAR)
            and not _news(volume, at)
        ):
            splits.append(Split(at, round(float(np.exp(nearest)), 9)))
    return splits


def change_of_level(values: Numbers, at: int) -> float:
    """Return the change of the log level from the candles before `at` to those from it on; a bad tick is none."""
    return float(np.median(values[at : at + AROUND]) - np.median(values[max(at - AROUND, 0) : at]))


def _news(volume: Numbers | None, at: int) -> bool:
    """Return whether far more was traded in the candle than in those after it; without volume nobody knows."""
    if volume is None or at + 1 >= len(volume):
        return False
    after = float(np.median(volume[at + 1 : at + 1 + AROUND]))
    return bool(after > 0 and volume[at] > NEWS * after)
