"""Prepares the corpus on disk, symbol by symbol, so that memory does not grow with the data.

Candles are written to a draft beside the folder, which replaces it when it is complete: after an interruption a folder
holds a whole corpus or none. The same settings on the same data reuse the corpus.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pandas as pd
from filelock import FileLock
from numpy.lib import format as npy

from engine.candles import FEATURES, PRICES, time_marks
from training.adapters import SymbolCandles, fingerprint, read_candles
from training.errors import DataError, RunError
from training.fit.corpus import ARRAYS, HEADER, Corpus, digest_of, open_corpus
from training.fit.splits import Series, embargo_of, label_runs, segments_of
from training.run.config import RunConfig
from training.run.folder import write_error

if TYPE_CHECKING:
    from engine.generate import OnStep

SPLIT_MOVE = 0.7  # a log move between two closes beyond this is an unadjusted split or a listing gap, not a market
FORMAT = 1  # of the prepared files; another number prepares them again
_TYPES: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {  # with the shape of a row
    "values": (np.dtype(np.float32), (6,)),
    "marks": (np.dtype(np.uint8), (5,)),
    "times": (np.dtype(np.int64), ()),
}


def prepare(config: RunConfig, folder: Path, on_step: OnStep | None = None) -> Corpus:
    """Return the corpus of a config, prepared in `folder` unless it exists.

    Parameters
    ----------
    on_step
        Called after every symbol with the files, series or instruments read, and their total.

    Raises ConfigError if the embargo is shorter than a window; DataError, with file, symbol and row, if there are no
    candles or some cannot be read; RunError if the folder cannot be written to (an existing corpus stays).
    """
    embargo_of(config)
    origin = _origin(config)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            existing = _existing(folder, origin)
            if existing is not None:
                return existing
            for leftover in folder.parent.glob(f".{folder.name}.draft-*"):  # of a killed process: we hold the lock
                shutil.rmtree(leftover)
            draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
            try:
                draft.mkdir()
                _write(config, draft, origin, on_step)
                _replace(folder, draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise error if isinstance(error, RunError) else RunError(write_error(folder.parent, error)) from error
    return open_corpus(folder)


def _origin(config: RunConfig) -> str:
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


def _existing(folder: Path, origin: str) -> Corpus | None:
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        return open_corpus(folder) if header["made_from"] == origin else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _replace(folder: Path, draft: Path) -> None:
    old = folder.with_name(f"{draft.name}-old")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write(config: RunConfig, draft: Path, origin: str, on_step: OnStep | None) -> None:
    with _Writer(draft) as writer:
        for candles in read_candles(config.data):
            writer.add(candles, by_column=config.split.by == "column")
            if on_step is not None:
                on_step(candles.done, candles.total)
    if not writer.series:
        raise DataError("The data has no candle with prices above zero, so there is nothing to train on.")
    arrays = {name: np.load(draft / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    segments = segments_of(writer.series, arrays["times"], config)
    header = {
        "rows": writer.rows,
        "segments": [asdict(segment) for segment in segments],
        "digest": digest_of(arrays.values(), segments),
        "made_from": origin,
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
            _write_head(file, name, 0)
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            if exception[0] is None:
                for name, file in self._files.items():
                    file.seek(0)
                    _write_head(file, name, self.rows)
        finally:
            for file in self._files.values():
                file.close()

    def add(self, candles: SymbolCandles, *, by_column: bool) -> None:
        prices = candles.frame[list(PRICES)].to_numpy(np.float64)
        frame = candles.frame[(np.isfinite(prices) & (prices > 0)).all(axis=1)]
        self.left_out += len(candles.frame) - len(frame)
        if frame.empty:
            return
        if by_column and "split" not in frame:
            raise DataError(
                "{symbol} of {group} lacks the column split, which split.by needs.",
                symbol=candles.symbol, group=candles.group,
            )  # fmt: skip
        times = pd.DatetimeIndex(frame["timestamp"]).as_unit("ns")
        arrays = {"values": features(frame), "marks": time_marks(times).astype(np.uint8), "times": times.asi8}
        for name, array in arrays.items():
            self._files[name].write(np.ascontiguousarray(array).data)
        start, self.rows = self.rows, self.rows + len(frame)
        closes = frame["close"].to_numpy(np.float64)
        jumps = np.flatnonzero(np.abs(np.diff(np.log(closes))) > SPLIT_MOVE) + 1
        self.jumps += len(jumps)
        pieces = frame["piece"].to_numpy() if "piece" in frame else np.zeros(len(frame), dtype=np.int64)
        cuts = tuple((start + np.union1d(jumps, np.flatnonzero(np.diff(pieces)) + 1)).tolist())
        labels = label_runs(frame["split"].to_numpy(dtype=object), start, candles.symbol) if by_column else ()
        self.series.append(Series(candles.group, candles.symbol, start, self.rows, cuts, labels))


def _write_head(file: BinaryIO, name: str, rows: int) -> None:
    """Write the head of a .npy file, whose size NumPy keeps constant for any number of rows."""
    dtype, width = _TYPES[name]
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *width)}
    npy.write_array_header_1_0(file, header)


def features(frame: pd.DataFrame) -> np.ndarray:
    """Return float32 (N, 6) in the model's order; missing values are filled as the tokenizer expects."""
    values = frame.reindex(columns=list(FEATURES)).astype(np.float64)
    for name in ("volume", "amount"):
        values[name] = values[name].where(np.isfinite(values[name]) & (values[name] >= 0))
    values["amount"] = values["amount"].fillna(values["volume"] * values[list(PRICES)].mean(axis=1))
    return values.fillna(0.0).to_numpy(np.float32)
