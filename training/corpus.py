"""Candles of many series in one block of memory, cut where a series is not continuous."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from engine.candles import FEATURES, PRICES, time_marks

SPLIT_MOVE = 0.7  # a log move between two closes beyond this is an unadjusted split or a listing gap, not a market


@dataclass(frozen=True)
class Segment:
    """Rows `start ... stop - 1` of the corpus: one symbol without a break."""

    group: str
    symbol: str
    start: int
    stop: int


@dataclass(frozen=True)
class Corpus:
    """Values float32 (N, 6) in the model's order, time marks uint8 (N, 5), and the segments they fall into."""

    values: np.ndarray
    marks: np.ndarray
    segments: tuple[Segment, ...]

    @property
    def groups(self) -> list[str]:
        """Return the names of the groups (market and interval), sorted."""
        return sorted({segment.group for segment in self.segments})


def load_corpus(paths: Iterable[Path], split: str | None = None) -> Corpus:
    """Read Parquet files of candles.

    Parameters
    ----------
    paths
        Files with columns symbol, timestamp, open, high, low, close, optionally volume, amount and split; rows of a
        symbol ascend in time. A file's group is its folder and its name, as in `crypto/1h.parquet`.
    split
        Keep only rows whose column `split` has this value.

    Raises
    ------
    ValueError
        Where nothing is left to learn from.
    """
    values, marks, segments, offset = [], [], [], 0
    for path in sorted(paths):
        frame = pd.read_parquet(path, filters=[("split", "==", split)] if split else None)
        prices = frame[list(PRICES)].to_numpy()
        frame = frame[(np.isfinite(prices) & (prices > 0)).all(axis=1)].reset_index(drop=True)
        if frame.empty:
            continue
        group = f"{path.parent.name}/{path.stem}"
        segments += [Segment(group, name, offset + a, offset + b) for name, a, b in _continuous(frame)]
        values.append(_features(frame))
        marks.append(time_marks(pd.DatetimeIndex(frame["timestamp"])).astype(np.uint8))
        offset += len(frame)
    if not segments:
        raise ValueError(f"No candles{f' of split {split!r}' if split else ''} in the files given.")
    return Corpus(np.concatenate(values), np.concatenate(marks), tuple(segments))


def _features(frame: pd.DataFrame) -> np.ndarray:
    """Return float32 (N, 6), with what is missing filled as the tokenizer expects it."""
    out = frame.reindex(columns=list(FEATURES)).astype(np.float64)
    mean_price = out[list(PRICES)].mean(axis=1)
    out["amount"] = out["amount"].fillna(out["volume"] * mean_price)
    return out.fillna(0.0).to_numpy(np.float32)


def _continuous(frame: pd.DataFrame) -> list[tuple[str, int, int]]:
    symbols = frame["symbol"].to_numpy()
    moves = np.abs(np.diff(np.log(frame["close"].to_numpy(np.float64))))
    cuts = np.flatnonzero((symbols[1:] != symbols[:-1]) | (moves > SPLIT_MOVE)) + 1
    edges = [0, *cuts.tolist(), len(frame)]
    return [(str(symbols[a]), a, b) for a, b in pairwise(edges)]
