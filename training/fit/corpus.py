"""The corpus: candles of many series in one block, divided into continuous segments; on disk, memory-mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import RunError
from training.run.config import SplitName

HEADER = "corpus.json"
ARRAYS = ("values", "marks", "times")


@dataclass(frozen=True)
class Segment:
    """Rows `start ... stop - 1` of the corpus: one symbol without a break, in one split."""

    group: str
    symbol: str
    split: SplitName
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def windows(self, size: int, stride: int = 1) -> int:
        """Return the number of its windows of `size` candles, `stride` apart."""
        return max(0, (len(self) - size) // stride + 1)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Candles of many series; rows outside of all segments are not used."""

    values: np.ndarray  # float32 (N, 6), features in the model's order
    marks: np.ndarray  # time marks, uint8 (N, 5)
    times: np.ndarray  # nanoseconds since 1970 in the source's time, int64 (N,)
    segments: tuple[Segment, ...]
    digest: str = ""  # SHA-256, in hex, of all of the above
    left_out: int = 0  # candles without a price above zero
    jumps: int = 0  # places where a series is cut because its price jumps as no market does

    @property
    def groups(self) -> list[str]:
        """Return the names of the groups (market and interval), sorted."""
        return sorted({segment.group for segment in self.segments})

    def of(self, split: SplitName) -> Corpus:
        """Return the part of a split; arrays are shared."""
        return replace(self, segments=tuple(segment for segment in self.segments if segment.split == split))


def digest_of(arrays: Iterable[np.ndarray], segments: Iterable[Segment]) -> str:
    """Return the SHA-256, in hex, of candles and segments."""
    sha = hashlib.sha256(json.dumps([asdict(segment) for segment in segments]).encode())
    for array in arrays:
        for start in range(0, len(array), 1 << 20):
            sha.update(np.ascontiguousarray(array[start : start + (1 << 20)]).view(np.uint8).data)
    return sha.hexdigest()


def open_corpus(folder: Path) -> Corpus:
    """Return the corpus prepared in `folder`, memory-mapped; a RunError says that it is missing or damaged."""
    try:
        header: dict[str, Any] = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        segments = tuple(Segment(**row) for row in header["segments"])
        if {len(array) for array in arrays.values()} != {header["rows"]}:
            raise ValueError("the arrays do not have the length in the header")
        digest, left_out, jumps = (header[name] for name in ("digest", "left_out", "jumps"))
        return Corpus(**arrays, segments=segments, digest=digest, left_out=left_out, jumps=jumps)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            "The prepared candles in {folder} are missing or damaged: prepare them again.", folder=str(folder)
        ) from error
