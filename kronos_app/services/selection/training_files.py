"""Candles as the trainer reads them: one Parquet file a market and interval, with a column that tells symbols apart."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kronos_app.data.candle_frame import FEATURES
from kronos_app.errors import Unavailable
from kronos_app.i18n import text
from kronos_app.services.candles.market import market_of

if TYPE_CHECKING:
    import pyarrow as pa

    from kronos_app.data.candle_frame import CandleFrame
    from kronos_app.settings import Settings

UNKNOWN_INTERVAL = "unknown"
LENGTHS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))  # seconds
MB = 1_000_000


@dataclass(frozen=True)
class Part:
    """A series that can be read; `state` changes with its candles."""

    name: str
    rows: int
    state: tuple[Any, ...]
    read: Callable[[], CandleFrame]


def cut(part: Part, until: datetime) -> Part:
    """Return a series up to and including a time; its candles are read once to count them, and again when used."""

    def read() -> CandleFrame:
        candles = part.read()
        rows = int(candles.timestamps.searchsorted(pd.Timestamp(until), side="right"))
        return replace(candles, frame=candles.frame.iloc[:rows])

    return Part(part.name, len(read()), (*part.state, until.isoformat()), read)


def write(parts: Sequence[Part], folder: Path) -> None:
    """Write `folder/MARKET/INTERVAL.parquet`, times local to the exchange; one series is in memory at a time.

    A column that a series does not have is empty.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: dict[Path, pq.ParquetWriter] = {}
    taken: set[tuple[Path, str]] = set()
    try:
        for part in parts:
            candles = part.read()
            path = folder / f"{group_of(candles)}.parquet"
            if path not in writers:
                path.parent.mkdir(parents=True, exist_ok=True)
                writers[path] = pq.ParquetWriter(path, _schema())
            symbol = _unused(candles.symbol, path, taken)
            writers[path].write_table(pa.Table.from_pandas(_frame(candles, symbol), _schema(), preserve_index=False))
    finally:
        for writer in writers.values():
            writer.close()


def group_of(candles: CandleFrame) -> str:
    """Return market and interval, as in `crypto/1h`: the name of a file and of a group of series."""
    return f"{market_of(candles)}/{_interval(candles)}"


def check_room(folder: Path, settings: Settings, size: int = 0) -> None:
    """Check that the disk has room.

    Parameters
    ----------
    size
        Bytes that will be written at once.

    Raises Unavailable (less than that and `run_free_mb` are free).
    """
    free = shutil.disk_usage(folder).free
    if free < size + settings.run_free_mb * MB:
        raise Unavailable(
            "disk_nearly_full",
            text("The disk has {free} MB left, too little for this.", free=free // MB),
            text(
                "Make room: delete runs, evaluations, backtests, data sets; "
                "KRONOS_RUN_FREE_MB sets what must stay free."
            ),
        )


def _schema() -> pa.Schema:
    import pyarrow as pa

    columns = [("timestamp", pa.timestamp("ns")), ("symbol", pa.string())]
    return pa.schema([*columns, *((name, pa.float64()) for name in FEATURES)])


def _frame(candles: CandleFrame, symbol: str) -> pd.DataFrame:
    frame = candles.frame[["timestamp", *candles.features]].assign(symbol=symbol)
    return frame.reindex(columns=["timestamp", "symbol", *FEATURES])


def _interval(candles: CandleFrame) -> str:
    """Return the candle's length as it is commonly written: `1d`, `4h`, `5min`."""
    seconds = int(candles.interval.total_seconds())
    for unit, length in LENGTHS:
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return UNKNOWN_INTERVAL


def _unused(symbol: str, path: Path, taken: set[tuple[Path, str]]) -> str:
    """Return the symbol, with a number where another series of the file has it already."""
    names = (symbol if number == 1 else f"{symbol} ({number})" for number in range(1, len(taken) + 2))
    free = next(name for name in names if (path, name) not in taken)
    taken.add((path, free))
    return free
