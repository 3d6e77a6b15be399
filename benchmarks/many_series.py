"""The time of a file of many series from bytes to the store, by part: `python -m benchmarks.many_series`."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks.measure import MB, build_parser, read_peak, run_in_process, write_record

TARGET = 5.0  # seconds of a file
PARTS = ("read", "inspect", "save")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Case:
    """A file: number of series and candles, step between candles, and pattern of the symbols."""

    name: str
    series: int
    candles: int
    step: str
    symbol: str


CASES = (
    Case("daily, names", 1900, 100, "B", "S{number:04}"),
    Case("daily, six digits", 1900, 100, "B", "{number:06}"),
    Case("hourly, names", 300, 500, "h", "S{number:04}"),
)


@dataclass(frozen=True)
class Result:
    """Seconds of processor time and growth of the peak memory in MB, by part."""

    seconds: dict[str, float]
    megabytes: dict[str, float]


def make_file(case: Case) -> bytes:
    """Return a CSV file of random walks; symbols of six digits begin with 600000, as in Shanghai."""
    random = np.random.default_rng(0)
    times = pd.date_range("2024-01-02", periods=case.candles, freq=case.step)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, (case.series, case.candles)), axis=1))
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    first = 600_000 if case.symbol.startswith("{") else 0
    symbols = [case.symbol.format(number=first + number) for number in range(case.series)]
    frame = pd.DataFrame({
        "symbol": np.repeat(symbols, case.candles),
        "timestamp": np.tile(times, case.series),
        "open": opened.ravel(),
        "high": np.maximum(opened, close).ravel() * 1.001,
        "low": np.minimum(opened, close).ravel() * 0.999,
        "close": close.ravel(),
        "volume": random.integers(1000, 100_000, close.size),
    })  # fmt: skip
    return frame.to_csv(index=False, float_format="%.4f").encode()


def measure_case(case: Case, home: str) -> Result:
    """Measure reading, inspecting and saving the file of a case in this process, which should be a new one."""
    os.environ["KRONOS_HOME"] = home
    from kronos_app.services.desk import close_desk, get_desk

    content = make_file(case)
    candles = get_desk().candles
    seconds: dict[str, float] = {}
    megabytes: dict[str, float] = {}

    def timed(part: str, work: Callable[[], Answer]) -> Answer:
        before, started = read_peak(), time.process_time()
        answer = work()
        seconds[part] = time.process_time() - started
        megabytes[part] = (read_peak() - before) / MB
        return answer

    timed("first file", lambda: candles.read_all(make_file(Case("", 2, 20, case.step, case.symbol)), "first.csv"))
    drafts = timed("read", lambda: candles.read_all(content, "many.csv"))
    ready = timed("inspect", lambda: candles.prepare_all(drafts))
    saved = timed("save", lambda: candles.save_all(ready))
    assert len(saved) == candles.count() == case.series, "a series is missing"
    close_desk()
    return Result(seconds, megabytes)


def main() -> None:
    """Print a line for each case."""
    options = build_parser(__doc__).parse_args()
    print("| file | read s | inspect s | save s | all s | target s | read MB | inspect MB | save MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    results = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as home:
            results.append(run_in_process(measure_case, case, home))
        result = results[-1]
        seconds = " | ".join(f"{result.seconds[part]:.2f}" for part in PARTS)
        memory = " | ".join(f"{result.megabytes[part]:.0f}" for part in PARTS)
        total = sum(result.seconds[part] for part in PARTS)
        print(f"| {case.series:,} × {case.candles}, {case.name} | {seconds} | {total:.2f} | {TARGET:.0f} | {memory} |")
    write_record(options, [asdict(result) for result in results])


if __name__ == "__main__":
    main()
