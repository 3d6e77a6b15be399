"""The train, validation and test split of the corpus: by time, or by the data's own column.

A window lies in one segment, and a segment in one split. Between two splits of a symbol an embargo is left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import pandas as pd

from training.errors import ConfigError, DataError
from training.fit.corpus import Segment
from training.run.config import SPLITS, RunConfig, SplitConfig, SplitName

LABELS: Mapping[str, SplitName] = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
_NEVER = np.iinfo(np.int64).max
_ALWAYS = np.iinfo(np.int64).min

Run = tuple[SplitName, int, int]  # a split and its rows `start ... stop - 1`
Ranges = dict[SplitName, tuple[int, int]]  # first time, and the time after the last


@dataclass(frozen=True)
class Series:
    """Rows `start ... stop - 1` of the corpus: the candles of one symbol, ascending in time."""

    group: str
    symbol: str
    start: int
    stop: int
    cuts: tuple[int, ...] = ()  # rows at which a new continuous piece begins
    labels: tuple[Run, ...] = ()  # the splits by the data's own column


def embargo_of(config: RunConfig) -> int:
    """Return the candles left out between two splits; a ConfigError says that they are fewer than a window's."""
    size, embargo = config.window.size, config.split.embargo
    if embargo is not None and embargo < size:
        raise ConfigError(
            "split.embargo is {value}: it must be at least {size}, the candles of a window.", value=embargo, size=size
        )
    return size if embargo is None else embargo


def segments_of(series: Sequence[Series], times: np.ndarray, config: RunConfig) -> tuple[Segment, ...]:
    """Return the segments of all series, in order of their rows.

    `times` are the corpus's, int64 (N,), in nanoseconds.

    Raises ConfigError if the embargo is shorter than a window; DataError if the only symbol cannot be held out.
    """
    embargo, times = embargo_of(config), np.asarray(times)
    held_out = held_out_symbols({rows.symbol for rows in series}, config.split.holdout_symbols, config.seed)
    runs_of = (_by_label if config.split.by == "column" else _by_time)(series, times, config.split)
    segments = []
    for rows in series:
        # With held-out symbols, these alone validate and test, and the others only train.
        used = [run for run in runs_of(rows) if not held_out or (run[0] == "train") != (rows.symbol in held_out)]
        for split, start, stop in _apply_embargo(used, embargo):
            edges = [start, *(cut for cut in rows.cuts if start < cut < stop), stop]
            segments += [Segment(rows.group, rows.symbol, split, a, b) for a, b in pairwise(edges)]
    return tuple(segments)


def held_out_symbols(symbols: Iterable[str], share: float, seed: int) -> frozenset[str]:
    """Return the symbols kept out of training, in every group; a DataError says that there is only one symbol."""
    ordered = sorted(symbols, key=lambda symbol: hashlib.sha256(f"{seed}:{symbol}".encode()).digest())
    if not share:
        return frozenset()
    if len(ordered) < 2:
        raise DataError(
            "{symbol} is the only symbol and cannot be held out: set split.holdout_symbols to 0.",
            symbol="".join(ordered),
        )
    return frozenset(ordered[: max(1, round(share * len(ordered)))])


def cut_times(series: Sequence[Series], times: np.ndarray, shares: Sequence[float]) -> list[int]:
    """Return the earliest times before which there are `shares` of all candles of a group.

    They are the same for all symbols of the group, so that no symbol leaks a day on which another is tested.
    """
    parts = [times[rows.start : rows.stop] for rows in series]
    total = sum(len(part) for part in parts)
    first, last = min(int(part[0]) for part in parts), max(int(part[-1]) for part in parts) + 1

    def cut(share: float) -> int:  # by bisection, without reading all times
        low, high, count = first, last, round(share * total)
        while low < high:
            middle = (low + high) // 2
            if sum(int(np.searchsorted(part, middle)) for part in parts) >= count:
                high = middle
            else:
                low = middle + 1
        return low

    return [cut(share) for share in shares]


def label_runs(labels: np.ndarray, start: int, symbol: str) -> tuple[Run, ...]:
    """Return the runs of equal labels of a symbol with first row `start`; a DataError names a wrong label."""
    edges = [0, *(np.flatnonzero(labels[1:] != labels[:-1]) + 1).tolist(), len(labels)]
    runs: list[Run] = []
    for a, b in pairwise(edges):
        label = str(labels[a]) if b > a else "train"
        if label not in LABELS:
            raise DataError(
                "{symbol}: the column split has the value “{label}”: it must be one of {known}.",
                symbol=symbol, label=label, known=", ".join(LABELS),
            )  # fmt: skip
        if b > a:
            runs.append((LABELS[label], start + a, start + b))
    return tuple(runs)


def _by_label(series: Sequence[Series], times: np.ndarray, split: SplitConfig) -> Callable[[Series], tuple[Run, ...]]:
    """Return a function of the runs of a series by its labels; the last part of `train`, the tail, becomes `test`."""
    tails = {}
    for group, members in _by_group(series).items():
        train = [
            Series(rows.group, rows.symbol, start, stop)
            for rows in members
            for label, start, stop in rows.labels
            if label == "train"
        ]
        tails[group] = cut_times(train, times, (1 - split.tail,))[0] if train and split.tail else _NEVER

    def runs(rows: Series) -> Iterator[Run]:
        for label, start, stop in rows.labels:
            edge = stop if label != "train" else start + int(np.searchsorted(times[start:stop], tails[rows.group]))
            yield label, start, edge
            if edge < stop:
                yield "test", edge, stop

    return lambda rows: tuple(runs(rows))


def _by_time(series: Sequence[Series], times: np.ndarray, split: SplitConfig) -> Callable[[Series], tuple[Run, ...]]:
    """Return a function of the runs of a series by the time ranges of its group."""
    ranges = {group: _ranges(members, times, split) for group, members in _by_group(series).items()}

    def runs(rows: Series) -> tuple[Run, ...]:
        own = times[rows.start : rows.stop]
        places = {name: np.searchsorted(own, edges) for name, edges in ranges[rows.group].items()}
        return tuple((name, rows.start + int(a), rows.start + int(b)) for name, (a, b) in places.items())

    return runs


def _by_group(series: Sequence[Series]) -> dict[str, list[Series]]:
    groups: dict[str, list[Series]] = {}
    for rows in series:
        groups.setdefault(rows.group, []).append(rows)
    return groups


def _ranges(members: Sequence[Series], times: np.ndarray, split: SplitConfig) -> Ranges:
    if split.train is not None:
        dates = {name: getattr(split, name) for name in SPLITS if getattr(split, name) is not None}
        return {name: (_moment(first, _ALWAYS), _moment(last, _NEVER - 1) + 1) for name, (first, last) in dates.items()}
    train, validation, test = split.fractions
    first, second = cut_times(members, times, (train, train + validation))
    ranges: Ranges = {"train": (_ALWAYS, first), "validation": (first, second)}
    return {**ranges, "test": (second, _NEVER)} if test else {**ranges, "validation": (first, _NEVER)}


def _moment(time: datetime | None, default: int) -> int:
    if time is None:
        return default
    try:
        return int(pd.Timestamp(time).as_unit("ns").value)
    except pd.errors.OutOfBoundsDatetime:  # before 1678 or after 2262 there are no candles
        return _ALWAYS if time.year < 1970 else _NEVER - 1


def _apply_embargo(runs: Iterable[Run], embargo: int) -> Iterator[Run]:
    """Yield the runs of a series, each started at least `embargo` rows after those of other splits."""
    ends: dict[SplitName, int] = {}
    for split, start, stop in sorted(runs, key=lambda run: run[1]):
        begin = max([start, *(end + embargo for other, end in ends.items() if other != split)])
        if begin < stop:
            ends[split] = stop
            yield split, begin, stop
