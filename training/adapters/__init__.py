"""Sources of candles: files, a Kronos Desk store, Qlib. One module per source, one symbol at a time."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from training.adapters.symbol import SymbolCandles
from training.run.config import Data, FileData, StoreData

__all__ = ["SymbolCandles", "fingerprint", "read_candles"]


def read_candles(data: Data) -> Iterator[SymbolCandles]:
    """Yield the candles of each symbol, ascending in time; a DataError names the file or the symbol, and the row."""
    candles: Iterator[SymbolCandles] = _source(data).read(data)
    return candles


def fingerprint(data: Data) -> list[Any]:
    """Return values that change with the candles, JSON-ready, without reading all; a DataError says there are none."""
    values: list[Any] = _source(data).fingerprint(data)
    return values


def _source(data: Data) -> ModuleType:
    if isinstance(data, FileData):
        from training.adapters import files

        return files
    if isinstance(data, StoreData):
        from training.adapters import store

        return store
    from training.adapters import qlib

    return qlib
