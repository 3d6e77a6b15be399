"""What this machine can do at best, measured with PyTorch in the same run: the two roofs of the roofline."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from engine.packed import pack

GEMMS = ((1024, 1024, 1024), (512, 2048, 512), (4096, 512, 1024))  # rows, inner, columns
ROUNDS = 8


@dataclass(frozen=True)
class Machine:
    """Roofs of float32 work.

    Attributes
    ----------
    flops
        Operations a second of the fastest matrix product found.
    bandwidth
        Bytes a second read, by a working set as large as what a step reads: small ones may live in a cache.
    working_set
        Its size in bytes.
    """

    flops: float
    bandwidth: float
    working_set: int


def measure(working_set: int) -> Machine:
    """Return the roofs for steps that read `working_set` bytes."""
    return Machine(_gemm_peak(), _bandwidth(working_set), working_set)


def describe(threads: int) -> dict[str, object]:
    """Return what a reader must know of the machine."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


@torch.inference_mode()
def _gemm_peak() -> float:
    """Return the best rate of PyTorch's products and of the engine's: on some processors its library is far faster."""
    best = 0.0
    for rows, inner, columns in GEMMS:
        a, b = torch.rand(rows, inner), torch.rand(inner, columns)
        packed = pack(nn.Linear(inner, columns, bias=False))
        for product in (partial(torch.mm, a, b), partial(packed, a)):
            best = max(best, 2 * rows * inner * columns / _fastest(product))
    return best


@torch.inference_mode()
def _bandwidth(working_set: int) -> float:
    """Return the best rate of reading a matrix of that size, whole, again and again."""
    columns = 1024
    rows = max(1, working_set // (4 * columns))
    matrix, right, left = torch.rand(rows, columns), torch.rand(columns), torch.rand(rows)
    reads = (matrix.sum, lambda: matrix @ right, lambda: left @ matrix)
    return 4 * rows * columns / min(_fastest(read) for read in reads)


def _fastest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several runs, each at least 20 ms long."""
    work()
    started = time.perf_counter()
    work()
    times = max(1, round(0.02 / max(time.perf_counter() - started, 1e-6)))
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter() - started) / times)
    return best


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        if names:
            return names[0]
    return platform.processor() or platform.machine()
