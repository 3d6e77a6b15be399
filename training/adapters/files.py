"""Candles in CSV and Parquet files: one symbol or many per file, by path, folder or pattern."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.adapters.symbol import SymbolCandles, check_times
from training.adapters.tables import ROWS, SUFFIXES, Table, open_table
from training.errors import DataError
from training.run.config import FileData

SORT_MEMORY = "512MB"  # beyond it, sorting uses the disk


def read(data: FileData) -> Iterator[SymbolCandles]:
    """Yield the candles of each symbol of each file; memory holds one symbol at a time.

    A file with a column `symbol` is a group, named by its folder and its name, as in `crypto/1h.parquet`; files of one
    symbol each belong to the group of their folder. A DataError names file, symbol and row.
    """
    paths = find_files(data.paths)
    seen: dict[tuple[str, str], Path] = {}
    for done, path in enumerate(paths):
        table = open_table(path)
        name = _stem(path)
        group = f"{path.parent.name}/{name}" if table.many else path.parent.name or name
        for symbol, frame in _symbols(table) if table.many else [(name, _whole(table))]:
            if (group, symbol) in seen:
                raise DataError(
                    "{symbol} of {group} is in {file} and in {other}: leave one of them out.",
                    symbol=symbol, group=group, file=str(path), other=str(seen[group, symbol]),
                )  # fmt: skip
            seen[group, symbol] = path
            check_times(frame, symbol, str(path))
            yield SymbolCandles(group, symbol, frame.drop(columns="row"), done, len(paths))


def fingerprint(data: FileData) -> list[Any]:
    """Return path, size and modification time of every file; a DataError says that there is none."""
    files = [(path, path.stat()) for path in find_files(data.paths)]
    return [[str(path.resolve()), status.st_size, status.st_mtime_ns] for path, status in files]


def find_files(paths: Iterable[str]) -> list[Path]:
    """Return the files of paths, folders and patterns, sorted; a DataError names one that matches nothing."""
    return sorted({path.resolve(): path for pattern in paths for path in _matches(pattern)}.values())


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    try:
        if path.is_dir():
            files = [p for p in path.rglob("*") if p.name.lower().endswith(SUFFIXES) and not p.name.startswith(".")]
        else:
            root = Path(path.anchor)
            files = [p for p in root.glob(str(path.relative_to(root))) if p.is_file()]
    except (OSError, ValueError) as error:
        raise DataError("{path} cannot be read ({reason}).", path=pattern, reason=str(error)) from error
    if not files:
        raise DataError(
            "{path}: there is no CSV or Parquet file here. Paths start from {folder}.",
            path=pattern, folder=str(Path.cwd()),
        )  # fmt: skip
    return files


def _stem(path: Path) -> str:
    return next(path.name[: -len(suffix)] for suffix in (*SUFFIXES, path.suffix) if path.name.lower().endswith(suffix))


def _whole(table: Table) -> pd.DataFrame:
    batches = list(table.batches())
    return pd.concat(batches, ignore_index=True) if batches else pd.DataFrame(columns=[*table.columns, "row"])


def _symbols(table: Table) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of each symbol, after sorting the file by symbol if they are mixed."""
    if _is_grouped(table):
        yield from _collect(table.batches())
        return
    with tempfile.TemporaryDirectory(prefix="kronos-") as folder:
        yield from _collect(_sorted(table.batches(), Path(folder)))


def _is_grouped(table: Table) -> bool:
    """Return whether the rows of every symbol are contiguous."""
    seen: set[str] = set()
    last = None
    for batch in table.batches({"symbol"}):
        for symbol, _, _ in _stretches(batch):
            if symbol != last and symbol in seen:
                return False
            seen.add(symbol)
            last = symbol
    return True


def _collect(batches: Iterable[pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame]]:
    parts: list[pd.DataFrame] = []
    last = ""
    for batch in batches:
        rows = batch.drop(columns="symbol")
        for symbol, start, stop in _stretches(batch):
            if parts and symbol != last:
                yield last, pd.concat(parts, ignore_index=True)
                parts = []
            last = symbol
            parts.append(rows.iloc[start:stop])
    if parts:
        yield last, pd.concat(parts, ignore_index=True)


def _stretches(batch: pd.DataFrame) -> Iterator[tuple[str, int, int]]:
    symbols = batch["symbol"].to_numpy(dtype=object)
    edges = [0, *(np.flatnonzero(symbols[1:] != symbols[:-1]) + 1).tolist(), len(symbols)]
    return ((str(symbols[a]), a, b) for a, b in pairwise(edges) if b > a)


def _sorted(batches: Iterable[pd.DataFrame], folder: Path) -> Iterator[pd.DataFrame]:
    """Yield the rows by symbol and then row; DuckDB sorts more than memory holds."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "rows.parquet"
    writer = None
    for batch in batches:
        rows = pa.Table.from_pandas(batch, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    assert writer is not None, "a file without rows is not mixed"
    writer.close()
    with duckdb.connect(config={"memory_limit": SORT_MEMORY, "temp_directory": str(folder / "sorting")}) as connection:
        ordered = connection.sql("SELECT * FROM read_parquet(?) ORDER BY symbol, row", params=[str(path)])
        for rows in pa.RecordBatchReader.from_stream(ordered.to_arrow_reader(ROWS)):
            yield rows.to_pandas()
