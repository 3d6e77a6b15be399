"""How long a file of many series takes from bytes to the store, by part: `python -m benchmarks.many_series`."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

PROMISED_SECONDS = 5.0
MB = 1_000_000
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Case:
    """A file: how many series of how many candles, the step between two, and what the series are called."""

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
    """Seconds of CPU and peak memory beyond that of the start, by part."""

    seconds: dict[str, float]
    megabytes: dict[str, float]


def make_file(case: Case) -> bytes:
    """Return a CSV file of random walks; numbers of six digits begin with 600000, as in Shanghai."""
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


def measure(case: Case) -> Result:
    """Return what reading, inspecting and saving the file of a case takes in this process."""
    from kronos_app.services.desk import close_desk, get_desk

    content = make_file(case)
    candles = get_desk().candles
    seconds: dict[str, float] = {}
    megabytes: dict[str, float] = {}

    def timed(part: str, work: Callable[[], Answer]) -> Answer:
        before, began = _peak(), time.process_time()
        answer = work()
        seconds[part] = time.process_time() - began
        megabytes[part] = _peak() - before
        return answer

    timed("first file", lambda: candles.read_all(make_file(Case("", 2, 20, case.step, case.symbol)), "first.csv"))
    drafts = timed("read", lambda: candles.read_all(content, "many.csv"))
    ready = timed("inspect", lambda: candles.prepare_all(drafts))
    saved = timed("save", lambda: candles.save_all(ready))
    assert len(saved) == candles.count() == case.series, "a series is missing"
    close_desk()
    return Result(seconds, megabytes)


def _peak() -> float:
    """Return the most memory that this process ever had, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def _in_own_process(number: int) -> Result:
    """Return what a case takes in a fresh process with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "benchmarks.many_series", "--one", str(number)]
        done = subprocess.run(
            command, env=os.environ | {"KRONOS_HOME": home}, cwd=Path(__file__).parents[1],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", type=int, choices=range(len(CASES)), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(asdict(measure(CASES[arguments.one]))))
        return
    print("| case | read s | inspect s | save s | all s | promised s | read MB | inspect MB | save MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for number, case in enumerate(CASES):
        result = _in_own_process(number)
        parts = ("read", "inspect", "save")
        seconds = " | ".join(f"{result.seconds[part]:.2f}" for part in parts)
        memory = " | ".join(f"{result.megabytes[part]:.0f}" for part in parts)
        total = sum(result.seconds[part] for part in parts)
        size = f"{case.series:,} × {case.candles}, {case.name}"
        print(f"| {size} | {seconds} | {total:.2f} | {PROMISED_SECONDS:.0f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
