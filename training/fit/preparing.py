"""From a source to a corpus on disk: symbol by symbol, so that memory does not grow with the data.

Candles are written to a draft beside the folder, which takes its place when it is complete: whatever interrupts the
work, a folder holds a whole corpus or none. The same settings on the same data find the corpus there and keep it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.lib import format as npy

from engine.candles import FEATURES, PRICES, time_marks
from training.adapters import SymbolCandles, fingerprint, read_candles
from training.errors import DataError, RunError, message
from training.fit.corpus import ARRAYS, HEADER, Corpus, digest_of, open_corpus
from training.fit.splits import Series, embargo_of, label_runs, segments_of
from training.run.config import RunConfig
from training.run.folder import unwritable

if TYPE_CHECKING:
    from engine.generate import OnStep

SPLIT_MOVE = 0.7  # a log move between two closes beyond this is an unadjusted split or a listing gap, not a market
FORMAT = 1  # of the prepared files; another number prepares them again
_TYPES: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {  # and the shape of a row
    "values": (np.dtype(np.float32), (6,)),
    "marks": (np.dtype(np.uint8), (5,)),
    "times": (np.dtype(np.int64), ()),
}


def prepare(config: RunConfig, folder: Path, on_step: OnStep | None = None) -> Corpus:
    """Return the corpus of a config, prepared in `folder` unless it is there already.

    Parameters
    ----------
    on_step
        Told after every symbol how many of the source's files, series or instruments are read, and how many there are.

    Raises
    ------
    ConfigError
        The embargo is shorter than a window.
    DataError
        There are no candles, or some cannot be read; names file, symbol and row.
    RunError
        The folder cannot be written to, or the disk is full; a corpus that was there stays.
    """
    embargo_of(config)
    made_from = _made_from(config)
    with _writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            kept = _kept(folder, made_from)
            if kept is not None:
                return kept
            for left in folder.parent.glob(f".{folder.name}.draft-*"):  # by someone who was killed: we hold the lock
                shutil.rmtree(left)
            draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
            try:
                draft.mkdir()
                _write(config, draft, made_from, on_step)
                _replace(folder, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    return open_corpus(folder)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except RunError:
        raise
    except OSError as error:
        raise RunError(unwritable(folder.parent, error)) from error


def _made_from(config: RunConfig) -> str:
    """Return the digest of all that the corpus depends on."""
    parts = {
        "format": FORMAT,
        "data": config.data.model_dump(mode="json"),
        "split": config.split.model_dump(mode="json"),
        "window": config.window.size,
        "seed": config.seed if config.split.holdout_symbols else None,
        "source": fingerprint(config.data),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _kept(folder: Path, made_from: str) -> Corpus | None:
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        return open_corpus(folder) if header["made_from"] == made_from else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _replace(folder: Path, draft: Path) -> None:
    old = folder.with_name(f"{draft.name}-old")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(config: RunConfig, draft: Path, made_from: str, on_step: OnStep | None) -> None:
    with _Writer(draft) as writer:
        for one in read_candles(config.data):
            writer.add(one, by_column=config.split.by == "column")
            if on_step is not None:
                on_step(one.done, one.total)
    if not writer.series:
        raise DataError(message("The data has no candle with prices above zero: there is nothing to learn from."))
    arrays = {name: np.load(draft / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    segments = segments_of(writer.series, arrays["times"], config)
    header = {
        "rows": writer.rows,
        "segments": [asdict(segment) for segment in segments],
        "digest": digest_of(arrays.values(), segments),
        "made_from": made_from,
        "left_out": writer.left_out,
        "jumps": writer.jumps,
    }
    (draft / HEADER).write_text(json.dumps(header), encoding="utf-8")
    for path in draft.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


class _Writer:
    """Appends candles to the arrays of a corpus, whose length is known only at the end."""

    def __init__(self, folder: Path) -> None:
        self.rows = self.left_out = self.jumps = 0
        self.series: list[Series] = []
        self._files = {name: (folder / f"{name}.npy").open("wb") for name in ARRAYS}

    def __enter__(self) -> _Writer:
        for name, file in self._files.items():
            _write_shape(file, name, 0)
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if exception[0] is None:
                for name, file in self._files.items():
                    file.seek(0)
                    _write_shape(file, name, self.rows)
        finally:
            for file in self._files.values():
                file.close()

    def add(self, one: SymbolCandles, *, by_column: bool) -> None:
        frame = _usable(one.frame)
        self.left_out += len(one.frame) - len(frame)
        if frame.empty:
            return
        if by_column and "split" not in frame:
            raise DataError(
                message("{symbol} of {group} has no column split, by which it is to be split.",
                       symbol=one.symbol, group=one.group)
            )  # fmt: skip
        times = pd.DatetimeIndex(frame["timestamp"]).as_unit("ns")
        for name, array in (
            ("values", features(frame)),
            ("marks", time_marks(times).astype(np.uint8)),
            ("times", times.asi8),
        ):
            self._files[name].write(np.ascontiguousarray(array).data)
        start, self.rows = self.rows, self.rows + len(frame)
        jumps = _jumps(frame["close"].to_numpy(np.float64))
        self.jumps += len(jumps)
        cuts = tuple((start + np.union1d(jumps, _gaps(frame))).tolist())
        labels = label_runs(frame["split"].to_numpy(dtype=object), start, one.symbol) if by_column else ()
        self.series.append(Series(one.group, one.symbol, start, self.rows, cuts, labels))


def _write_shape(file: BinaryIO, name: str, rows: int) -> None:
    """Write the head of a .npy file, which NumPy keeps as long however many rows there are."""
    dtype, width = _TYPES[name]
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *width)}
    npy.write_array_header_1_0(file, described)


def _usable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the candles whose prices are all finite and above zero."""
    prices = frame[list(PRICES)].to_numpy(np.float64)
    usable: pd.DataFrame = frame[(np.isfinite(prices) & (prices > 0)).all(axis=1)]
    return usable


def features(frame: pd.DataFrame) -> np.ndarray:
    """Return float32 (N, 6) in the model's order, with what is missing filled as the tokenizer expects it."""
    out = frame.reindex(columns=list(FEATURES)).astype(np.float64)
    for name in ("volume", "amount"):
        out[name] = out[name].where(np.isfinite(out[name]) & (out[name] >= 0))
    out["amount"] = out["amount"].fillna(out["volume"] * out[list(PRICES)].mean(axis=1))
    return out.fillna(0.0).to_numpy(np.float32)


def _jumps(closes: np.ndarray) -> np.ndarray:
    """Return the places before which the price jumps as no market does."""
    return np.flatnonzero(np.abs(np.diff(np.log(closes))) > SPLIT_MOVE) + 1


def _gaps(frame: pd.DataFrame) -> np.ndarray:
    """Return the places before which the source says that something is left out."""
    if "piece" not in frame:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.diff(frame["piece"].to_numpy())) + 1
