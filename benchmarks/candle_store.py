"""How fast candles come out of the store: `python -m benchmarks.candle_store [--rows 5000000] [--symbols 50]`.

Fills a DuckDB file with that many candles in all, the last of them in small appends that go from symbol to symbol as
refreshes do, then reads one symbol again and again: its last 512 candles, and all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.store import Store
from kronos_app.store.series import SeriesKey

LAST = 512
APPENDS, APPENDED = 10, 20  # rounds over the symbols, and candles each time
REPEATS = 50
TARGETS = {"last": 10.0, "scan": 100.0}  # milliseconds, median


def candles(rows: int, seed: int) -> CandleFrame:
    """Return a random walk of minutes."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, rows)))
    frame = pd.DataFrame({"timestamp": pd.date_range("2000-01-01", periods=rows, freq="min", unit="ns")})
    for name, factor in {"open": 1.0, "high": 1.001, "low": 0.999, "close": 1.0, "volume": 3.0}.items():
        frame[name] = close * factor
    return CandleFrame(frame, f"S{seed}", "benchmark", "UTC")


def fill(store: Store, rows: int, symbols: int) -> float:
    """Store the candles and return the seconds that took."""
    begun = time.perf_counter()
    each = rows // symbols
    head = max(each - APPENDS * APPENDED, 1)
    walks = {SeriesKey("benchmark", f"S{number}", "1m"): candles(each, number) for number in range(symbols)}
    for key, walk in walks.items():
        store.series.merge(key, _part(walk, 0, head))
    for start in range(head, each, APPENDED):
        for key, walk in walks.items():
            store.series.merge(key, _part(walk, start, start + APPENDED))
    return time.perf_counter() - begun


def median_ms(read: Callable[[], object]) -> float:
    """Return the median time of a read in milliseconds."""
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        read()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds)) * 1e3


def _part(walk: CandleFrame, start: int, stop: int) -> CandleFrame:
    return CandleFrame(walk.frame.iloc[start:stop].reset_index(drop=True), walk.name, walk.source, walk.timezone)


def main() -> None:
    """Measure and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--symbols", type=int, default=50)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.duckdb"
        store = Store.open(f"duckdb:///{file}")
        seconds = fill(store, args.rows, args.symbols)
        size = file.stat().st_size / 1e6
        print(f"{args.rows:,} candles of {args.symbols} symbols stored in {seconds:.1f} s, {size:.0f} MB")
        key = SeriesKey("benchmark", f"S{args.symbols // 2}", "1m")
        measured = {
            "last": median_ms(lambda: store.series.read(key, last=LAST)),
            "scan": median_ms(lambda: store.series.read(key)),
        }
        store.close()
    for name, milliseconds in measured.items():
        met = "met" if milliseconds < TARGETS[name] else "MISSED"
        print(f"{name:5} {milliseconds:8.2f} ms median, target {TARGETS[name]:.0f} ms: {met}")


if __name__ == "__main__":
    main()
