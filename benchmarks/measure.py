"""What every benchmark needs: options, timing, memory of this process, and a JSON record of the results."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, ParamSpec, TypeVar

MB = 1_000_000
P = ParamSpec("P")
Result = TypeVar("Result")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc_pid_clear_refs(5)


def build_parser(description: str | None, **defaults: int | float | str) -> argparse.ArgumentParser:
    """Return a parser with `--json` and an option for each default, of the default's type."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    for name, default in defaults.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(default), default=default, help=f"default {default}"
        )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements")
    return parser


def write_record(options: argparse.Namespace, record: object) -> None:
    """Write the measurements to the file of `--json`, if there is one."""
    if options.json:
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def time_once(work: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def time_median(work: Callable[[], object], rounds: int) -> float:
    """Return the median seconds of some calls."""
    return median(time_once(work) for _ in range(rounds))


def run_in_process(function: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """Return the result of a function of a module, called in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def format_verdict(reached: bool, target: str) -> str:
    """Return whether a target is reached."""
    return f"target {target} {'reached' if reached else 'MISSED'}"


def read_resident() -> int:
    """Return the bytes of this process in memory."""
    if STATUS.exists():
        return _read_status("VmRSS")
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak() -> None:
    """Set the peak memory of this process back to its current memory, if the system can."""
    if CLEAR.exists():
        CLEAR.write_text(RESET_PEAK)


def read_peak() -> int:
    """Return the peak memory of this process in bytes."""
    if CLEAR.exists():
        return _read_status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _read_status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options as text, for the record."""
    return {name: str(value) for name, value in vars(options).items()}
