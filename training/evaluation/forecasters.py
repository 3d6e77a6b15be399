"""Whoever forecasts: one protocol for models and baselines, who all see the same past and nothing else."""

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
QUANTILES = 200  # of a baseline: what it can do must not depend on how many paths a model draws


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be forecast, at several cutoffs at once.

    Attributes
    ----------
    pasts
        What was known at each cutoff.
    future
        Times to forecast, nanoseconds, int64 (B, horizon).
    lookback
        Candles of history that every forecaster may count on; a past may hold more.
    seeds
        One a cutoff, made of the run's seed and the cutoff's own place, so that neither order nor company matters.
    first
        Time of the first cutoff of each one's series in the same walk, where parameters are held from then on; None:
        its own.
    """

    pasts: Sequence[AsOf]
    future: np.ndarray
    lookback: int
    seeds: Sequence[int]
    first: Sequence[int] | None = None

    @property
    def horizon(self) -> int:
        """Return the candles to forecast."""
        return int(self.future.shape[1])

    @cached_property
    def closes(self) -> np.ndarray:
        """Return the last `lookback` closes, (B, lookback)."""
        return np.stack([past.last(self.lookback)[:, CLOSE] for past in self.pasts])

    @cached_property
    def returns(self) -> np.ndarray:
        """Return the log returns between them, (B, lookback - 1)."""
        return np.asarray(np.diff(np.log(self.closes), axis=1))


@dataclass(frozen=True, eq=False)
class Members:
    """Equally likely outcomes.

    Attributes
    ----------
    close
        (B, members, horizon).
    drawn
        Whether a member is a path that was drawn at random. If not, members are quantiles at the fixed levels
        (i + 1/2) / members, ascending at each step, and no member is a path.
    driftless
        Whether drawn paths were moved together so that their median is the last close.
    impossible
        Share of the drawn candles that no market can print, before repair (B,).
    first_open
        The open of the first candle of each path (B, members), from a forecaster that draws whole candles.
    """

    close: np.ndarray
    drawn: bool
    driftless: bool = False
    impossible: np.ndarray | None = None
    first_open: np.ndarray | None = None


class Forecaster(Protocol):
    """A model or a baseline."""

    @property
    def name(self) -> str:
        """Return the name that tables show."""

    @property
    def digest(self) -> str:
        """Return what identifies its answers: other weights or settings have another one."""

    def forecast(self, request: Request) -> Members:
        """Return what may follow each past."""


def request_of(cutoffs: Sequence[Cutoff], seed: int, first: Sequence[int] | None = None) -> Request:
    """Return what to ask of a forecaster at cutoffs of one lookback and horizon; `first` as `Request` has it."""
    return Request(
        pasts=[cutoff.past for cutoff in cutoffs],
        future=np.stack([cutoff.future_times for cutoff in cutoffs]),
        lookback=cutoffs[0].lookback,
        seeds=[seed_of(cutoff, seed) for cutoff in cutoffs],
        first=first,
    )


def seed_of(cutoff: Cutoff, seed: int) -> int:
    """Return the seed of a cutoff's paths: of the run's seed, the symbol and the time, and of nothing else."""
    place = f"{seed}/{cutoff.group}/{cutoff.symbol}/{cutoff.time}"
    return zlib.crc32(place.encode())


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield parts of up to `size`, of cutoffs all that is in memory at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
