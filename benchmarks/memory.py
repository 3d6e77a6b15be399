"""How much memory a forecast takes beyond the weights, each measured in a process of its own; and whether it leaks.

On Linux the kernel's own high-water mark is set back before the forecast. Elsewhere the mark of the whole process is
all there is, so that a forecast smaller than what loading took shows as zero.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median

import torch

from benchmarks.cases import Case, make_case
from benchmarks.shapes import SHAPES, Shape, build, random_walks
from benchmarks.timing import run
from benchmarks.work import own_bytes
from engine.config import ModelConfig, TokenizerConfig
from engine.errors import KronosError
from engine.packed import Precision
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc_pid_clear_refs(5)
ALLOWED = 1.3  # of one path's memory, beside the paths' own keys and values
ROOT = Path(__file__).parents[1]
_LEAST = Shape(
    ModelConfig(s1_bits=2, s2_bits=2, n_layers=1, d_model=8, n_heads=1, ff_dim=8),
    TokenizerConfig(s1_bits=2, s2_bits=2, d_model=8, n_heads=1, ff_dim=8),
    context=16,
)


def measure(case: Case, window: str, sampling: Sampling, threads: int, weights: str = "float32") -> dict[str, int]:
    """Measure a case in a fresh process.

    Returns
    -------
    dict
        Bytes: `weights`, all that loading leaves in memory; `beyond` them, at the peak of the forecast; `own`, counted
        from the shapes, of the keys and values that belong to single paths; `process`, all of it at the peak.
    """
    wanted = {
        "case": asdict(case),
        "window": window,
        "sampling": asdict(sampling),
        "threads": threads,
        "weights": weights,
    }
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(wanted)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise KronosError(f"Measuring the memory of {case.name} failed: {done.stderr.strip().splitlines()[-1:]}")
    measured: dict[str, int] = json.loads(done.stdout)
    return measured


def measure_here(case: Case, window: str, sampling: Sampling, weights: Precision = "float32") -> dict[str, int]:
    """Return what `measure` does, of this process."""
    _settle(build(_LEAST), sampling)  # threads and kernels are nobody's weights
    empty = resident()
    predictor = build(SHAPES[case.size], weights)
    _settle(predictor, sampling)
    before = resident()
    inputs = random_walks(case.series, case.history, case.horizon)
    reset_peak()
    run(predictor, case, inputs, window, sampling)
    most = peak()
    return {
        "weights": before - empty,
        "beyond": max(0, most - before),
        "own": own_bytes(SHAPES[case.size].model, case, window),
        "process": most,
    }


def allowed(one: dict[str, int], many: dict[str, int]) -> float:
    """Return the bytes that many paths may take when one path takes `one`."""
    return ALLOWED * one["beyond"] + many["own"]


def soak(size: str, forecasts: int, sampling: Sampling, every: int = 20) -> Iterator[int]:
    """Yield the resident bytes of this process after each `every` forecasts, whose lengths and samples change.

    Some fit into the context, some slide.
    """
    predictor = build(SHAPES[size])
    for i in range(forecasts):
        tenth = predictor.max_context // 10
        case = make_case(size, 1 + i % 5, history=(5 + i % 5) * tenth, horizon=(1 + i % 3) * tenth)
        window = case.windows[i % len(case.windows)]
        run(predictor, case, random_walks(1, case.history, case.horizon, seed=i), window, sampling)
        if (i + 1) % every == 0:
            yield resident()


def growth(seen: list[int]) -> float:
    """Return the bytes gained from the second quarter of a soak to its last; the first fills caches."""
    quarter = max(1, len(seen) // 4)
    return median(seen[-quarter:]) - median(seen[quarter : 2 * quarter] or seen)


def resident() -> int:
    """Return the bytes of this process in memory."""
    if STATUS.exists():
        return _status("VmRSS")
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak() -> None:
    """Set the high-water mark back to what is in memory now, where the system can."""
    if CLEAR.exists():
        CLEAR.write_text(RESET_PEAK)


def peak() -> int:
    """Return the high-water mark in bytes."""
    if CLEAR.exists():
        return _status("VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _settle(predictor: KronosPredictor, sampling: Sampling) -> None:
    """Lay out the weights by a small forecast, then give back what it took."""
    small = Case("", series=1, samples=1, history=8, horizon=2, context=16, windows=("fit",))
    run(predictor, small, random_walks(1, small.history, small.horizon), "fit", sampling)
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def _status(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Measure one case in this process and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", help="what `measure` writes")
    wanted = json.loads(parser.parse_args().case)
    torch.set_num_threads(wanted["threads"])
    case = Case(**{**wanted["case"], "windows": tuple(wanted["case"]["windows"])})
    print(json.dumps(measure_here(case, wanted["window"], Sampling(**wanted["sampling"]), wanted["weights"])))


if __name__ == "__main__":
    main()
