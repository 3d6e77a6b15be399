"""One more candle of some rows: how long a step takes, beside the least time this machine could take for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

import torch

from benchmarks.machine import Machine
from benchmarks.roofline import least_seconds
from benchmarks.shapes import Shape
from benchmarks.work import Window, Work, one_step
from engine.generate import Generation
from engine.predictor import KronosPredictor
from engine.sampling import Sampling

HISTORY, STEPS = 400, 100  # candles: the context of 512 does not fill


@dataclass(frozen=True)
class StepTime:
    """A step of `rows` paths of one series, averaged over a generation.

    Attributes
    ----------
    seconds
        Of a step; of each step the median over repeated generations.
    bound
        Least seconds of the same steps on this machine.
    reading
        Share of the bound in which the machine waits for memory instead of computing.
    """

    rows: int
    seconds: float
    bound: float
    reading: float

    @property
    def of_bound(self) -> float:
        """Return the share of the time that the machine could not have saved."""
        return self.bound / self.seconds


def time_steps(
    predictor: KronosPredictor, shape: Shape, machine: Machine, sampling: Sampling, *, rows: int, rounds: int
) -> StepTime:
    """Return what a step of `rows` paths takes, after a history of 400 candles and over 100 drawn ones."""
    _generation_seconds(predictor, sampling, rows)  # lays the weights out
    runs = [_generation_seconds(predictor, sampling, rows) for _ in range(rounds)]
    works = [one_step(shape.model, Window(1, rows, HISTORY, drawn)) for drawn in range(1, STEPS)]
    least = [least_seconds(work, machine) for work in works]
    return StepTime(
        rows,
        mean(median(step) for step in zip(*runs, strict=True)),
        mean(least),
        mean(_reads(work, machine) for work in works),
    )


def _reads(work: Work, machine: Machine) -> bool:
    return work.bytes / machine.bandwidth > work.flops / machine.flops


@torch.inference_mode()
def _generation_seconds(predictor: KronosPredictor, sampling: Sampling, rows: int) -> list[float]:
    """Return the seconds of every step but the first, which computes the history."""
    model, (network, _) = predictor.model, predictor.packed()
    drawn = torch.Generator().manual_seed(0)
    s1, s2 = (torch.randint(0, 2**bits, (HISTORY,), generator=drawn) for bits in (model.s1_bits, model.s2_bits))
    stamp = torch.ones(HISTORY + STEPS, 5, dtype=torch.int64)
    generation = Generation(
        network,
        [(s1, s2)],
        [stamp],
        samples=rows,
        max_context=predictor.max_context,
        sampling=sampling,
        generators=[drawn],
    )
    ends = []
    for _ in range(STEPS):
        generation.advance()
        ends.append(time.perf_counter())
    return [end - start for start, end in pairwise(ends)]


def table(size: str, times: list[StepTime]) -> list[str]:
    """Return the lines that a reader is shown."""
    head = f"{'size':<8}{'rows':>6}{'ms a step':>12}{'bound ms':>10}{'of bound':>10}  bound by"
    return [head] + [
        f"{size:<8}{one.rows:>6}{one.seconds * 1e3:>12.2f}{one.bound * 1e3:>10.2f}{one.of_bound:>10.0%}"
        f"  {'reading' if one.reading > 0.5 else 'computing'}"
        for one in times
    ]
