"""The time of the plain loop, whole or scaled from some of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks.cases import Case
from benchmarks.measure import time_once
from benchmarks.plain import decode_plainly, encode_plainly, predict_plainly, step_plainly
from benchmarks.shapes import Inputs
from engine.candles import Normaliser, time_marks
from engine.inputs import check_all_series
from engine.predictor import KronosPredictor
from engine.sampling import Sampling


@dataclass(frozen=True)
class Prepared:
    """Normalised history (S, T, 6), time marks (S, T + N, 5), and the scale that leads back to prices."""

    x: Tensor
    stamp: Tensor
    scale: Normaliser


def prepare(inputs: Inputs, predictor: KronosPredictor) -> Prepared:
    """Return the tensors that the plain loop starts from; their preparation is not timed."""
    series = check_all_series(*inputs.parts())
    values = np.stack([candles.values for candles in series])
    marks = np.stack([time_marks(pd.DatetimeIndex(candles.times.append(candles.future))) for candles in series])
    scale = Normaliser.fit(values, shared_deviation=predictor.tokenizer.config.shared_deviation)
    return Prepared(torch.from_numpy(scale.apply(values, predictor.clip)), torch.from_numpy(marks), scale)


def spread_steps(horizon: int, steps: int) -> list[tuple[int, int]]:
    """Return evenly spaced steps, each in the middle of the steps that it represents, with their number."""
    edges = [round(i * horizon / steps) for i in range(steps + 1)]
    return [((low + high - 1) // 2, high - low) for low, high in pairwise(edges) if high > low]


@torch.inference_mode()
def time_plain(
    predictor: KronosPredictor, prepared: Prepared, case: Case, sampling: Sampling, steps: int | None = None
) -> float:
    """Return the seconds of the plain loop.

    Parameters
    ----------
    steps
        Time only so many of the steps, with windows of random tokens, and scale: the time of a step does not depend on
        the tokens and grows evenly with the window. Encoding and decoding are timed whole. None runs every step.
    """
    model, tokenizer = predictor.model, predictor.tokenizer
    generator = torch.Generator().manual_seed(0)
    settings = {"max_context": case.context, "sampling": sampling, "generator": generator}
    if steps is None or steps >= case.horizon:
        return time_once(
            lambda: predict_plainly(model, tokenizer, prepared.x, prepared.stamp, samples=case.samples, **settings)
        )
    stamp = prepared.stamp.repeat_interleave(case.samples, dim=0)  # (S, T + N, 5) -> (R, T + N, 5)
    s1, s2 = (torch.randint(0, 2**bits, stamp.shape[:2]) for bits in (model.s1_bits, model.s2_bits))
    total = time_once(lambda: encode_plainly(tokenizer, prepared.x, case.samples))
    for step, weight in spread_steps(case.horizon, steps):
        known = case.history + step
        total += weight * time_once(partial(step_plainly, model, s1[:, :known], s2[:, :known], stamp, **settings))
    return total + time_once(lambda: decode_plainly(tokenizer, s1, s2, case.context))
