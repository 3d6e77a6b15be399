"""Stretches without trading: prices that repeat, and no volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kronos_app.data.checks.returns import Mask, Numbers

FEWEST = 5  # candles in a row; a closed morning or a quiet hour has fewer
# How many runs of a length there would be by chance, were the repeats strewn over the series: illiquid markets repeat
# themselves all the time, and only what does not fit their own habit is a finding.
CHANCE = 1e-3
ENDS = 20  # runs that ended at once and are taken for granted, where a series has shown few


@dataclass(frozen=True)
class Run:
    """Candles in a row: position of the first and of the last."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def stale_runs(values: Numbers, volume: Numbers | None) -> list[Run]:
    """Return the runs in which all four prices repeat those of the candle before, and nothing new was traded.

    A share locked at its daily limit repeats its price for hours while it is traded: that is no fault of the data. So
    the volume must be zero, repeat as well, or be unknown. A run begins with the first candle that repeats.

    Parameters
    ----------
    values
        Open, high, low and close by column.
    volume
        None where there is none.
    """
    repeats = np.zeros(len(values), dtype=bool)
    repeats[1:] = (values[1:] == values[:-1]).all(axis=1)
    if volume is not None:
        repeats[1:] &= (volume[1:] == 0) | (volume[1:] == volume[:-1])
    return _unusual(repeats)


def silent_runs(volume: Numbers, stale: Mask) -> list[Run]:
    """Return the runs without volume in a series that has volume elsewhere, apart from those that are `stale`."""
    silent = volume == 0
    return [] if silent.all() or not silent.any() else _unusual(silent & ~stale)


def cover(runs: list[Run], count: int) -> Mask:
    """Return for each of `count` candles whether it is in one of the runs."""
    mask = np.zeros(count, dtype=bool)
    for run in runs:
        mask[run.first : run.last + 1] = True
    return mask


def runs_of(mask: Mask) -> list[Run]:
    """Return the runs in which `mask` holds."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [Run(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def _unusual(mask: Mask) -> list[Run]:
    """Return the runs that are longer than chance explains, given how many candles are in `mask` at all."""
    if not mask.any():
        return []
    runs = runs_of(mask)
    # How likely a run goes on, from no more than the beginning of each: one long run does not make long runs usual.
    goes_on = sum(min(len(run), FEWEST) - 1 for run in runs)
    likely = max(goes_on / (goes_on + len(runs) + ENDS), len(runs) / len(mask))
    longest = np.log(CHANCE / len(runs)) / np.log(likely)
    return [run for run in runs if len(run) >= max(FEWEST, longest)]
