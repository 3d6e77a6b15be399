"""Where candles are read from: files, a Kronos Desk store, Qlib. One module a source, one symbol at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from training.adapters.symbol import SymbolCandles
from training.run.config import Data, FileData, StoreData

__all__ = ["SymbolCandles", "fingerprint", "read_candles"]


def read_candles(data: Data) -> Iterator[SymbolCandles]:
    """Yield the candles of each symbol, ascending in time.

    Raises
    ------
    DataError
        There are none, or some cannot be read; names the file or the symbol, and the row.
    """
    if isinstance(data, FileData):
        from training.adapters.files import read as read_files

        return read_files(data)
    if isinstance(data, StoreData):
        from training.adapters.store import read as read_store

        return read_store(data)
    from training.adapters.qlib import read as read_qlib

    return read_qlib(data)


def fingerprint(data: Data) -> list[Any]:
    """Return what changes with the candles behind `data`, JSON-ready and without reading them all.

    Raises
    ------
    DataError
        There are none.
    """
    if isinstance(data, FileData):
        from training.adapters.files import fingerprint as of_files

        return of_files(data)
    if isinstance(data, StoreData):
        from training.adapters.store import fingerprint as of_store

        return of_store(data)
    from training.adapters.qlib import fingerprint as of_qlib

    return of_qlib(data)
