"""The interface of every forecaster: models and baselines see the same past and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np

from engine.candles import CLOSE
from training.evaluation.asof import AsOf
from training.evaluation.cutoffs import Cutoff

T = TypeVar("T")
QUANTILES = 200  # of a baseline: its score must not depend on how many paths a model draws


@dataclass(frozen=True, eq=False)
class Request:
    """A forecast request at several cutoffs at once."""

    pasts: Sequence[AsOf]  # the known candles at each cutoff
    future: np.ndarray  # times to forecast, nanoseconds, int64 (B, horizon)
    lookback: int  # candles of history that every forecaster may rely on; a past may hold more
    # One a cutoff, from the run's seed and the cutoff itself, so that order and batch do not matter.
    seeds: Sequence[int]
    # Time of the first cutoff of each series, where parameters are fitted without `refit`; None: the cutoff's own.
    first: Sequence[int] | None = None

    @property
    def horizon(self) -> int:
        """Return the number of candles to forecast."""
        return int(self.future.shape[1])

    @cached_property
    def closes(self) -> np.ndarray:
        """Return the last `lookback` closes, (B, lookback)."""
        return np.stack([past.last(self.lookback)[:, CLOSE] for past in self.pasts])

    @cached_property
    def returns(self) -> np.ndarray:
        """Return their log returns, (B, lookback - 1)."""
        return np.asarray(np.diff(np.log(self.closes), axis=1))


@dataclass(frozen=True, eq=False)
class Members:
    """Equally likely outcomes."""

    close: np.ndarray  # (B, members, horizon)
    drawn: bool  # else members are quantiles at the levels (i + 1/2) / members, ascending at each step
    driftless: bool = False  # whether paths were shifted so that their median is the last close
    impossible: np.ndarray | None = None  # share of the drawn candles that no market can print, before repair (B,)
    first_open: np.ndarray | None = None  # open of the first candle of each path (B, members), if candles are drawn


class Forecaster(Protocol):
    """A model or a baseline."""

    @property
    def name(self) -> str:
        """Return the name shown in tables."""

    @property
    def digest(self) -> str:
        """Return an identifier of weights and settings: other forecasts, another digest."""

    def forecast(self, request: Request) -> Members:
        """Return the forecast from each past."""


def request_of(cutoffs: Sequence[Cutoff], seed: int, first: Sequence[int] | None = None) -> Request:
    """Return the request for cutoffs of one lookback and horizon."""
    return Request(
        pasts=[cutoff.past for cutoff in cutoffs],
        future=np.stack([cutoff.future_times for cutoff in cutoffs]),
        lookback=cutoffs[0].lookback,
        seeds=[zlib.crc32(f"{seed}/{cutoff.group}/{cutoff.symbol}/{cutoff.time}".encode()) for cutoff in cutoffs],
        first=first,
    )


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive parts of up to `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
