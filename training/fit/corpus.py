"""Candles of many series in one block, cut where a series is not continuous; on disk, mapped into memory when read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import RunError, message
from training.run.config import SplitName

HEADER = "corpus.json"
ARRAYS = ("values", "marks", "times")


@dataclass(frozen=True)
class Segment:
    """Rows `start ... stop - 1` of the corpus: one symbol without a break, all of one split."""

    group: str
    symbol: str
    split: SplitName
    start: int
    stop: int

    def __len__(self) -> int:
        """Return the candles."""
        return self.stop - self.start

    def windows(self, size: int, stride: int = 1) -> int:
        """Return how many windows of `size` candles, `stride` apart, lie in it."""
        return max(0, (len(self) - size) // stride + 1)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Candles of many series.

    Attributes
    ----------
    values
        float32 (N, 6) in the model's order.
    marks
        Time marks, uint8 (N, 5).
    times
        Nanoseconds since 1970 in the source's own time, int64 (N,).
    segments
        The rows that belong together; rows of no segment are never read.
    digest
        SHA-256, in hex, of all of the above.
    left_out
        Candles of the source that had no price above zero.
    jumps
        Places where the price jumps as no market does, at which a series is cut.
    """

    values: np.ndarray
    marks: np.ndarray
    times: np.ndarray
    segments: tuple[Segment, ...]
    digest: str = ""
    left_out: int = 0
    jumps: int = 0

    @property
    def groups(self) -> list[str]:
        """Return the names of the groups (market and interval), sorted."""
        return sorted({segment.group for segment in self.segments})

    def of(self, split: SplitName) -> Corpus:
        """Return the part that serves for `split`; arrays are shared."""
        return replace(self, segments=tuple(segment for segment in self.segments if segment.split == split))


def digest_of(arrays: Iterable[np.ndarray], segments: Iterable[Segment]) -> str:
    """Return the SHA-256, in hex, of candles and segments; reads arrays once, a piece at a time."""
    sha = hashlib.sha256(json.dumps([asdict(segment) for segment in segments]).encode())
    for array in arrays:
        for start in range(0, len(array), 1 << 20):
            sha.update(np.ascontiguousarray(array[start : start + (1 << 20)]).view(np.uint8).data)
    return sha.hexdigest()


def open_corpus(folder: Path) -> Corpus:
    """Return the corpus that was prepared in `folder`; its arrays are mapped, not read.

    Raises
    ------
    RunError
        There is none, or it is damaged.
    """
    try:
        header: dict[str, Any] = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        segments = tuple(Segment(**row) for row in header["segments"])
        if {len(array) for array in arrays.values()} != {header["rows"]}:
            raise ValueError("the arrays are not of the length that the header says")
        digest, left_out, jumps = (header[name] for name in ("digest", "left_out", "jumps"))
        return Corpus(**arrays, segments=segments, digest=digest, left_out=left_out, jumps=jumps)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            message("{folder} holds no prepared candles that can be read: prepare them again.", folder=str(folder))
        ) from error
