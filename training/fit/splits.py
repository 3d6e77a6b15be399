"""Which candles are learned from, which choose the checkpoint, and which are kept: by time or by the data's own column.

A window lies whole in one segment, and a segment in one split. Between two splits of a symbol an embargo is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd

from training.errors import ConfigError, DataError, message
from training.fit.corpus import Segment
from training.run.config import SPLITS, RunConfig, SplitConfig, SplitName

LABELS: Mapping[str, SplitName] = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
_NEVER = np.iinfo(np.int64).max
_ALWAYS = np.iinfo(np.int64).min

Run = tuple[SplitName, int, int]  # a split and the rows `start ... stop - 1` that serve for it


@dataclass(frozen=True)
class Series:
    """Where the candles of one symbol lie.

    Attributes
    ----------
    start, stop
        Rows `start ... stop - 1` of the corpus, ascending in time.
    cuts
        Rows at which it is not continuous: a new piece begins there.
    labels
        The splits that the data itself names, where it does.
    """

    group: str
    symbol: str
    start: int
    stop: int
    cuts: tuple[int, ...] = ()
    labels: tuple[Run, ...] = ()


def embargo_of(config: RunConfig) -> int:
    """Return the candles left out between two splits.

    Raises
    ------
    ConfigError
        They are fewer than a window's.
    """
    size, embargo = config.window.size, config.split.embargo
    if embargo is not None and embargo < size:
        raise ConfigError(
            message(
                "split.embargo is {value}: it must be at least {size}, the candles of a window.",
                value=embargo, size=size,
            )
        )  # fmt: skip
    return size if embargo is None else embargo


def segments_of(series: Sequence[Series], times: np.ndarray, config: RunConfig) -> tuple[Segment, ...]:
    """Return the segments that all series fall into, in order of their rows.

    Parameters
    ----------
    times
        int64 (N,), nanoseconds, as in the corpus.

    Raises
    ------
    ConfigError
        The embargo is shorter than a window.
    DataError
        A symbol cannot be held out because it is the only one.
    """
    embargo, times = embargo_of(config), np.asarray(times)
    held_out = held_out_symbols({one.symbol for one in series}, config.split.holdout_symbols, config.seed)
    runs_of = (_by_label if config.split.by == "column" else _by_time)(series, times, config.split)
    return tuple(
        Segment(one.group, one.symbol, split, start, stop)
        for one in series
        for split, start, stop in _pieces(one, _apart(_serving(runs_of(one), one, held_out), embargo))
    )


def held_out_symbols(symbols: Iterable[str], share: float, seed: int) -> frozenset[str]:
    """Return the symbols that are never learned from: the same ones for the same seed, in every group.

    Raises
    ------
    DataError
        There is only one symbol.
    """
    known = sorted(symbols, key=lambda symbol: hashlib.sha256(f"{seed}:{symbol}".encode()).digest())
    if not share:
        return frozenset()
    if len(known) < 2:
        raise DataError(
            message("{symbol} is the only symbol and cannot be held out: set split.holdout_symbols to 0.",
                   symbol=known[0] if known else "")
        )  # fmt: skip
    return frozenset(known[: max(1, round(share * len(known)))])


def cut_times(series: Sequence[Series], times: np.ndarray, shares: Sequence[float]) -> list[int]:
    """Return the times before which `shares` of all candles of a group lie, found without reading them all.

    A cut is the earliest time before which there are that many: the same for all symbols of the group, so that no
    symbol tells of a day on which another is judged.
    """
    parts = [times[one.start : one.stop] for one in series]
    total = sum(len(part) for part in parts)
    first, last = min(int(part[0]) for part in parts), max(int(part[-1]) for part in parts) + 1

    def cut(share: float) -> int:
        low, high, wanted = first, last, round(share * total)
        while low < high:
            middle = (low + high) // 2
            if sum(int(np.searchsorted(part, middle)) for part in parts) >= wanted:
                high = middle
            else:
                low = middle + 1
        return low

    return [cut(share) for share in shares]


def label_runs(labels: np.ndarray, start: int, symbol: str) -> tuple[Run, ...]:
    """Return the runs of equal labels of one symbol, whose first row is `start` of the corpus.

    Raises
    ------
    DataError
        A label is none of train, val, validation and test.
    """
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    unknown = next((str(labels[a]) for a, b in pairwise(edges) if b > a and str(labels[a]) not in LABELS), None)
    if unknown is not None:
        raise DataError(
            message("{symbol}: the column split says “{label}”: it must say one of {known}.",
                   symbol=symbol, label=unknown, known=", ".join(LABELS))
        )  # fmt: skip
    return tuple((LABELS[str(labels[a])], start + a, start + b) for a, b in pairwise(edges) if b > a)


def _by_label(series: Sequence[Series], times: np.ndarray, split: SplitConfig) -> Callable[[Series], tuple[Run, ...]]:
    """Return what finds the runs of a series by its labels, `train` up to the tail of its group, `test` from there."""
    cuts = {}
    for group, members in _by_group(series).items():
        learned = [
            Series(one.group, one.symbol, start, stop)
            for one in members
            for label, start, stop in one.labels
            if label == "train"
        ]
        cuts[group] = cut_times(learned, times, (1 - split.tail,))[0] if learned and split.tail else _NEVER

    def runs(one: Series) -> Iterator[Run]:
        for label, start, stop in one.labels:
            edge = stop if label != "train" else start + int(np.searchsorted(times[start:stop], cuts[one.group]))
            yield label, start, edge
            if edge < stop:
                yield "test", edge, stop

    return lambda one: tuple(runs(one))


def _by_group(series: Sequence[Series]) -> dict[str, list[Series]]:
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.group, []).append(one)
    return groups


def _by_time(series: Sequence[Series], times: np.ndarray, split: SplitConfig) -> Callable[[Series], tuple[Run, ...]]:
    """Return what finds the runs of a series by the time ranges of its group, each from a time up to another."""
    ranges = {group: _ranges(members, times, split) for group, members in _by_group(series).items()}

    def runs(one: Series) -> tuple[Run, ...]:
        own = times[one.start : one.stop]
        places = {name: np.searchsorted(own, edges) for name, edges in ranges[one.group].items()}
        return tuple((name, one.start + int(a), one.start + int(b)) for name, (a, b) in places.items())

    return runs


def _ranges(members: Sequence[Series], times: np.ndarray, split: SplitConfig) -> dict[SplitName, tuple[int, int]]:
    if split.train is not None:
        given = {name: getattr(split, name) for name in SPLITS if getattr(split, name) is not None}
        return {name: (_moment(first, _ALWAYS), _moment(last, _NEVER - 1) + 1) for name, (first, last) in given.items()}
    train, validation, test = split.fractions
    first, second = cut_times(members, times, (train, train + validation))
    ranges: dict[SplitName, tuple[int, int]] = {"train": (_ALWAYS, first), "validation": (first, second)}
    return {**ranges, "test": (second, _NEVER)} if test else {**ranges, "validation": (first, _NEVER)}


def _moment(time: datetime | None, otherwise: int) -> int:
    if time is None:
        return otherwise
    try:
        return int(pd.Timestamp(time).as_unit("ns").value)
    except pd.errors.OutOfBoundsDatetime:  # before 1678 or after 2262 there are no candles
        return _ALWAYS if time.year < 1970 else _NEVER - 1


def _serving(runs: Iterable[Run], one: Series, held_out: frozenset[str]) -> Iterator[Run]:
    """Yield the runs that serve: where symbols are held out, they alone judge, and only the rest is learned from."""
    for run in runs:
        if not held_out or (run[0] == "train") != (one.symbol in held_out):
            yield run


def _apart(runs: Iterable[Run], embargo: int) -> Iterator[Run]:
    """Yield runs of one series, each begun late enough to lie `embargo` rows behind those of other splits."""
    ends: dict[SplitName, int] = {}
    for split, start, stop in sorted(runs, key=lambda run: run[1]):
        begin = max([start, *(end + embargo for other, end in ends.items() if other != split)])
        if begin < stop:
            ends[split] = stop
            yield split, begin, stop


def _pieces(one: Series, runs: Iterable[Run]) -> Iterator[Run]:
    """Yield the runs, cut where the series is not continuous."""
    for split, start, stop in runs:
        edges = [start, *(cut for cut in one.cuts if start < cut < stop), stop]
        for a, b in pairwise(edges):
            yield split, a, b
