"""The limits of this machine, measured with PyTorch in the same run, and the least time for some work (roofline model).

After Williams, Waterman and Patterson (2009), doi:10.1145/1498765.1498785.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.cases import Case
from benchmarks.measure import time_once
from benchmarks.shapes import Shape
from benchmarks.work import Work, forecast_work
from engine.packed import pack

PRODUCTS = ((1024, 1024, 1024), (512, 2048, 512), (4096, 512, 1024))  # rows, inputs, outputs
ROUNDS = 8


@dataclass(frozen=True)
class Machine:
    """Limits of float32 work.

    Attributes
    ----------
    flops
        Operations a second of the fastest matrix product.
    bandwidth
        Bytes read a second from a working set of the size that a step reads; a small one may fit into a cache.
    working_set
        Its size in bytes.
    """

    flops: float
    bandwidth: float
    working_set: int

    def least_seconds(self, work: Work) -> float:
        """Return the least time for `work`: its arithmetic or its reading, whichever is longer."""
        return max(work.flops / self.flops, work.bytes / self.bandwidth)

    def bound(self, shape: Shape, case: Case, window: str, weights: str = "float32") -> dict[str, Any]:
        """Return the least `seconds` of a case, and operations, bytes and seconds of its `parts`."""
        parts = {
            part: {**asdict(work), "seconds": self.least_seconds(work)}
            for part, work in forecast_work(shape, case, window, weights).items()
        }
        return {"seconds": sum(part["seconds"] for part in parts.values()), "parts": parts}


def measure_machine(working_set: int) -> Machine:
    """Return the limits for steps that read `working_set` bytes."""
    return Machine(_measure_flops(), _measure_bandwidth(working_set), working_set)


def describe_machine(threads: int) -> dict[str, object]:
    """Return processor, system and versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


@torch.inference_mode()
def _measure_flops() -> float:
    """Return the best rate of PyTorch's products and the engine's, which is far faster on some processors."""
    best = 0.0
    for rows, inputs, outputs in PRODUCTS:
        a, b = torch.rand(rows, inputs), torch.rand(inputs, outputs)
        packed = pack(nn.Linear(inputs, outputs, bias=False))
        for product in (partial(torch.mm, a, b), partial(packed, a)):
            best = max(best, 2 * rows * inputs * outputs / _fastest(product))
    return best


@torch.inference_mode()
def _measure_bandwidth(working_set: int) -> float:
    """Return the best rate of repeatedly reading a whole matrix of that size."""
    columns = 1024
    rows = max(1, working_set // (4 * columns))
    matrix, right, left = torch.rand(rows, columns), torch.rand(columns), torch.rand(rows)
    reads = (matrix.sum, lambda: matrix @ right, lambda: left @ matrix)
    return 4 * rows * columns / min(_fastest(read) for read in reads)


def _fastest(work: Callable[[], object]) -> float:
    """Return the least seconds of a call in several runs of at least 20 ms."""
    work()
    calls = max(1, round(0.02 / max(time_once(work), 1e-6)))
    return min(time_once(lambda: [work() for _ in range(calls)]) for _ in range(ROUNDS)) / calls


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
