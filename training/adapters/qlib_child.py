"""Qlib reading candles in a process of its own: `python -m training.adapters.qlib_child`.

Qlib keeps its settings process-global, and imports a lot. What to read comes as JSON on standard input; candles go to
standard output in Arrow's stream format, one batch an instrument.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from qlib.config import C
from qlib.data import D
from qlib.data.data import register_all_wrappers
from qlib.data.ops import register_all_ops
from qlib.log import get_module_logger

NUMBERS = ("open", "high", "low", "close", "volume", "vwap", "amount")
SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("done", pa.int64()),
        ("total", pa.int64()),
        ("piece", pa.int64()),
        ("timestamp", pa.timestamp("ns")),
        *((name, pa.float64()) for name in NUMBERS),
    ]
)
AT_ONCE = 32  # instruments that Qlib is asked for in one go

Spans = list[tuple[pd.Timestamp, pd.Timestamp]]


def start(folder: str) -> None:
    """Point Qlib at a folder of data, as `qlib.init` does but without its tracker of experiments.

    That one needs a version of MLflow which does not go with newer protobufs, and no data passes through it.
    """
    C.set("client", provider_uri=folder, region="cn", kernels=1, logging_level=50)
    get_module_logger.setLevel(C.logging_level)
    register_all_ops(C)
    register_all_wrappers(C)
    C._registered = True


def batches(market: str, frequency: str, first: str | None, last: str | None, members_only: bool) -> Iterator[Any]:
    """Yield the candles of each instrument of a set as a record batch; `piece` tells its stays in the set apart."""
    members: dict[str, Spans] = D.list_instruments(D.instruments(market), first, last, freq=frequency)
    names = sorted(members)
    for begin in range(0, len(names), AT_ONCE):
        batch = names[begin : begin + AT_ONCE]
        frame = D.features(batch, [f"${name}" for name in NUMBERS], first, last, freq=frequency)
        frame.columns = list(NUMBERS)
        present = set(frame.index.get_level_values("instrument"))
        for place, name in enumerate(batch, begin):
            if name in present:
                yield _batch(name, frame.loc[name], members[name] if members_only else [], place, len(names))


def _batch(symbol: str, frame: pd.DataFrame, spans: Spans, done: int, total: int) -> Any:
    times = pd.DatetimeIndex(frame.index)
    piece = np.zeros(len(times), dtype=np.int64) if not spans else np.full(len(times), -1, dtype=np.int64)
    for number, (first, last) in enumerate(sorted(spans)):
        piece[(times >= first) & (times <= last)] = number
    inside = piece >= 0
    rows = frame.loc[inside].reset_index(drop=True).assign(timestamp=times[inside].as_unit("ns"), piece=piece[inside])
    rows = rows.assign(symbol=symbol, done=done, total=total)
    return pa.RecordBatch.from_pandas(rows[SCHEMA.names], schema=SCHEMA, preserve_index=False)


def main() -> None:
    """Read what standard input asks for."""
    request = json.load(sys.stdin)
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever Qlib prints must not come between the candles
        start(request.pop("folder"))
        with pa.ipc.new_stream(out, SCHEMA) as stream:
            for batch in batches(**request):
                stream.write_batch(batch)


if __name__ == "__main__":
    main()
