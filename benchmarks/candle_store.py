"""The speed of the candle store: `python -m benchmarks.candle_store [--rows 5000000] [--symbols 50]`.

Fills a DuckDB file with `rows` candles, the last of them in small appends from symbol to symbol as refreshes do, then
reads one symbol repeatedly: its last 512 candles, and all of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import MB, build_parser, format_verdict, time_median, time_once, write_record
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.store import Store
from kronos_app.store.series import SeriesKey

LAST = 512
APPENDS, APPENDED = 10, 20  # rounds over the symbols, and candles of each append
ROUNDS = 50
TARGETS = {"last": 10.0, "scan": 100.0}  # milliseconds, median


def make_candles(rows: int, seed: int) -> CandleFrame:
    """Return a random walk of minutes."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 1e-3, rows)))
    frame = pd.DataFrame({"timestamp": pd.date_range("2000-01-01", periods=rows, freq="min", unit="ns")})
    for name, factor in {"open": 1.0, "high": 1.001, "low": 0.999, "close": 1.0, "volume": 3.0}.items():
        frame[name] = close * factor
    return CandleFrame(frame, f"S{seed}", "benchmark", "UTC")


def fill_store(store: Store, rows: int, symbols: int) -> None:
    """Store the candles."""
    each = rows // symbols
    head = max(each - APPENDS * APPENDED, 1)
    walks = {SeriesKey("benchmark", f"S{number}", "1m"): make_candles(each, number) for number in range(symbols)}
    for start, stop in ((0, head), *((start, start + APPENDED) for start in range(head, each, APPENDED))):
        for key, walk in walks.items():
            part = walk.frame.iloc[start:stop].reset_index(drop=True)
            store.series.merge(key, CandleFrame(part, walk.name, walk.source, walk.timezone))


def main() -> None:
    """Measure, and print whether the targets are reached."""
    options = build_parser(__doc__, rows=5_000_000, symbols=50).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.duckdb"
        store = Store.open(f"duckdb:///{file}")
        seconds = time_once(lambda: fill_store(store, options.rows, options.symbols))
        size = file.stat().st_size / MB
        print(f"{options.rows:,} candles of {options.symbols} symbols stored in {seconds:.1f} s, {size:.0f} MB")
        key = SeriesKey("benchmark", f"S{options.symbols // 2}", "1m")
        measured = {
            "last": 1000 * time_median(lambda: store.series.read(key, last=LAST), ROUNDS),
            "scan": 1000 * time_median(lambda: store.series.read(key), ROUNDS),
        }
        store.close()
    for name, milliseconds in measured.items():
        verdict = format_verdict(milliseconds < TARGETS[name], f"{TARGETS[name]:.0f} ms")
        print(f"{name:5} {milliseconds:8.2f} ms median, {verdict}")
    write_record(options, measured)


if __name__ == "__main__":
    main()
