"""The seconds of the plain loop, whole or scaled from a share of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.plain import decode_plainly, encode_plainly, predict_plainly, step_plainly
from benchmarks.shapes import Inputs
from engine.candles import Normaliser, time_marks
from engine.inputs import check_series
from engine.predictor import KronosPredictor
from engine.sampling import Sampling


@dataclass(frozen=True)
class Prepared:
    """Normalised history (S, T, 6), time marks (S, T + N, 5), and the way back to prices."""

    x: Tensor
    stamp: Tensor
    scale: Normaliser

    @property
    def horizon(self) -> int:
        """Return the number of candles to forecast."""
        return self.stamp.shape[1] - self.x.shape[1]


def prepare(inputs: Inputs, predictor: KronosPredictor) -> Prepared:
    """Return the tensors, as `predictor` asks for them, that the plain loop starts from; it is not charged for that."""
    series = [check_series(*one) for one in zip(*inputs.parts(), strict=True)]
    values = np.stack([one.values for one in series])
    marks = np.stack([time_marks(pd.DatetimeIndex(one.times.append(one.future))) for one in series])
    scale = Normaliser.fit(values, shared_deviation=predictor.tokenizer.config.shared_deviation)
    return Prepared(torch.from_numpy(scale.apply(values, predictor.clip)), torch.from_numpy(marks), scale)


def spread(horizon: int, steps: int) -> list[tuple[int, int]]:
    """Return evenly spaced steps, each the middle one of those it stands for, with their number."""
    edges = [round(i * horizon / steps) for i in range(steps + 1)]
    return [((low + high - 1) // 2, high - low) for low, high in pairwise(edges) if high > low]


def plain_seconds(
    predictor: KronosPredictor, prepared: Prepared, case: Case, sampling: Sampling, steps: int | None = None
) -> float:
    """Return how long the plain loop takes.

    Parameters
    ----------
    steps
        Time only so many of the steps, with windows of random tokens, and scale: steps cost the same whatever the
        tokens are, and grow evenly with the window. Encoding and decoding are timed whole. None runs every step.
    """
    model, tokenizer = predictor.model, predictor.tokenizer
    drawn = torch.Generator().manual_seed(0)
    if steps is None or steps >= case.horizon:
        return _seconds(
            lambda: predict_plainly(
                model,
                tokenizer,
                prepared.x,
                prepared.stamp,
                samples=case.samples,
                max_context=case.context,
                sampling=sampling,
                generator=drawn,
            )
        )
    stamp = prepared.stamp.repeat_interleave(case.samples, dim=0)
    s1, s2 = (torch.randint(0, 2**bits, stamp.shape[:2]) for bits in (model.s1_bits, model.s2_bits))
    total = _seconds(lambda: encode_plainly(tokenizer, prepared.x, case.samples))
    for step, weight in spread(case.horizon, steps):
        known = case.history + step

        def work(known: int = known) -> object:
            return step_plainly(
                model, s1[:, :known], s2[:, :known], stamp, max_context=case.context, sampling=sampling, generator=drawn
            )

        total += weight * _seconds(work)
    return total + _seconds(lambda: decode_plainly(tokenizer, s1, s2, case.context))


@torch.inference_mode()
def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
