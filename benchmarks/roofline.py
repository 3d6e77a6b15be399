"""How fast a forecast could be at best: each part takes its arithmetic or its reading, whichever is longer.

After Williams, Waterman and Patterson (2009), doi:10.1145/1498765.1498785.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from benchmarks.cases import Case
from benchmarks.machine import Machine
from benchmarks.shapes import Shape
from benchmarks.work import Work, forecast_work


def least_seconds(work: Work, machine: Machine) -> float:
    """Return the time below which `machine` cannot do `work`."""
    return max(work.flops / machine.flops, work.bytes / machine.bandwidth)


def bound(shape: Shape, case: Case, window: str, machine: Machine, weights: str = "float32") -> dict[str, Any]:
    """Return the bound of a case: `seconds` in all, and operations, bytes and seconds of its `parts`."""
    parts = {
        part: {**asdict(work), "seconds": least_seconds(work, machine)}
        for part, work in forecast_work(shape, case, window, weights).items()
    }
    return {"seconds": sum(part["seconds"] for part in parts.values()), "parts": parts}
