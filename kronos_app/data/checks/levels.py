"""Changes of the price level, after which statistics of the earlier history do not apply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kronos_app.data.checks.returns import Numbers, Prices, deviations
from kronos_app.data.checks.splits import Split, change_of_level, find_splits

# On random walks of 150 candles, kronos-nano's bands are 5 to 7 times too wide after a split of 4 for 1, and 15 times
# after one of 10 for 1; after 100 for 1 the median is a thousandth of the last close, or five times as high.
LEAST_SPLIT = 4.0
# A market may fall by 60 or 80 % in a day. Where no split accounts for the change, only a larger one counts.
LEAST_CHANGE = 10.0


@dataclass(frozen=True)
class LevelBreak:
    """The first candle of another price level, by position.

    Attributes
    ----------
    factor
        The level before divided by the level after.
    split
        The split that accounts for it, None where none does.
    """

    position: int
    factor: float
    split: Split | None = None


def find_level_breaks(values: Numbers, volume: Numbers | None) -> list[LevelBreak]:
    """Return the changes of level that a forecast must not have in its history, in the order of time.

    Parameters
    ----------
    values
        Open, high, low and close by column, all above zero, in the order of time.
    volume
        None where there is none.
    """
    prices = Prices.of(values)
    splits = find_splits(prices, deviations(prices.close), volume)
    large = [split for split in splits if max(split.ratio, 1 / split.ratio) >= LEAST_SPLIT]
    breaks = {split.position: LevelBreak(split.position, split.ratio, split) for split in large}
    moves = np.diff(prices.close, prepend=prices.close[:1])
    for at in np.flatnonzero(np.abs(moves) >= np.log(LEAST_CHANGE)).tolist():
        change = change_of_level(prices.close, at)
        if at not in breaks and abs(change) >= np.log(LEAST_CHANGE):
            breaks[at] = LevelBreak(at, float(np.exp(-change)))
    return [breaks[at] for at in sorted(breaks)]
