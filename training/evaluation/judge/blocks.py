"""Candles and cutoffs that a model is judged on: assets outside its training data, and the last part of those in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import PRICES
from training.adapters.files import read
from training.adapters.symbol import SymbolCandles
from training.adapters.tables import SUFFIXES
from training.errors import DataError
from training.evaluation.command import continuous
from training.evaluation.cutoffs import Cutoff, Series, spread_by_group
from training.fit.splits import Series as Rows
from training.fit.splits import cut_times, label_runs
from training.run.config import FileData

NEW, LATER, ALL = "new", "later", "all"
TITLES: Mapping[str, str] = {NEW: "new assets", LATER: "last stretch", ALL: "all candles"}

Part = tuple[str, str, pd.DataFrame]  # group, symbol, candles


def read_blocks(
    data: Path, *, lookback: int, gap: int, tail: float = 0.1, groups: Sequence[str] = ()
) -> dict[str, list[Series]]:
    """Return the series to judge on, by block; besides them, the candles of one group are in memory.

    `data` is a folder `<market>/<interval>.parquet`, a folder of files, or one file; CSV or Parquet, as for training;
    `groups` are patterns of groups to judge, such as `fx/*`, all by default. With a column `split`, `new` has the rows
    marked val or test, `later` the last part (`tail`, a share) of those marked train, which begins at one time for all
    symbols of a group; its first `gap` candles are only history. Without a column `split`, all rows are in `all`.

    Raises DataError if there are no candles, or a file cannot be used; names file, symbol and row.
    """
    blocks: dict[str, list[Series]] = defaultdict(list)
    files = FileData(paths=[str(path) for path in _files(data, groups)])
    for _, members in groupby(read(files), key=lambda symbol: symbol.group):
        parts: dict[str, list[Part]] = defaultdict(list)
        for symbol in members:
            for block, candles in _rows_by_block(symbol):
                parts[block].append((symbol.group, symbol.symbol, candles))
        if tail and LATER in parts:
            first = _start_of_tail(parts[LATER], tail)
            blocks[LATER] += [_from(series, first, lookback - gap) for series in _series(parts[LATER])]
        for block in (NEW, ALL):
            blocks[block] += _series(parts[block])
    return {block: blocks[block] for block in TITLES if blocks[block]}


def cutoffs_of(
    blocks: Mapping[str, Sequence[Series]], *, lookback: int, horizon: int, per_group: int, seed: int = 0
) -> dict[str, list[Cutoff]]:
    """Return up to `per_group` cutoffs of each group by block, at as many times as possible; see `spread`."""
    cutoffs = {
        block: spread_by_group(series, lookback=lookback, horizon=horizon, per_group=per_group, seed=seed, together=1)
        for block, series in blocks.items()
    }
    return {block: of_block for block, of_block in cutoffs.items() if of_block}


def too_short(series: Iterable[Series], size: int) -> dict[str, tuple[int, int]]:
    """Return by group the number of symbols without `size` candles in a row, and of all symbols."""
    longest: dict[tuple[str, str], int] = Counter()
    for candles in series:
        longest[candles.group, candles.symbol] = max(longest[candles.group, candles.symbol], len(candles))
    symbols = Counter(group for group, _ in longest)
    short = Counter(group for (group, _), candles in longest.items() if candles < size)
    return {group: (short[group], symbols[group]) for group in symbols if short[group]}


def _files(data: Path, groups: Sequence[str]) -> list[Path]:
    files = [data]
    if data.is_dir():
        inside = [path for pattern in ("*/*", "*") for path in sorted(data.glob(pattern))]
        usable = [path for path in inside if path.name.lower().endswith(SUFFIXES)]
        files = [path for path in usable if path.parent != data] or usable
    chosen = [path for path in files if not groups or any(path.with_suffix("").match(group) for group in groups)]
    if not chosen:
        raise DataError(
            "{folder}: there is no CSV or Parquet file to judge on. Name a folder of MARKET/INTERVAL.parquet.",
            folder=str(data),
        )
    return chosen


def _rows_by_block(candles: SymbolCandles) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the usable rows of a symbol that belong to each block."""
    prices = candles.frame[list(PRICES)].to_numpy(np.float64)
    frame = candles.frame[(np.isfinite(prices) & (prices > 0)).all(axis=1)]
    if frame.empty:
        return
    if "split" not in frame:
        yield ALL, frame
        return
    for split, start, stop in label_runs(frame["split"].to_numpy(dtype=object), 0, candles.symbol):
        yield (LATER if split == "train" else NEW), frame.iloc[start:stop]


def _start_of_tail(parts: Sequence[Part], tail: float) -> int:
    """Return the time at which the last part of a group begins, in nanoseconds."""
    times = [pd.DatetimeIndex(candles["timestamp"]).as_unit("ns").asi8 for _, _, candles in parts]
    ends = np.cumsum([len(own) for own in times]).tolist()
    rows = [
        Rows(group, symbol, end - len(own), end)
        for (group, symbol, _), own, end in zip(parts, times, ends, strict=True)
    ]
    return cut_times(rows, np.concatenate(times), (1 - tail,))[0]


def _series(parts: Iterable[Part]) -> list[Series]:
    return [series for group, symbol, candles in parts for series in continuous(candles, symbol, group)]


def _from(series: Series, first: int, before: int) -> Series:
    """Return the candles from a time on and `before` earlier ones, as a copy, so that the rest can be freed."""
    start = max(0, int(np.searchsorted(series.times, first)) - before)
    return Series(series.group, series.symbol, series.values[start:].copy(), series.times[start:].copy())
