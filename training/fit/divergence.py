"""The error for a loss that is not finite: at which step, and which windows caused it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.errors import Diverged
from training.fit.distributed import World
from training.fit.optimizer import trained
from training.fit.stages import Stage
from training.fit.windows import WindowSampler

MAX_WINDOWS = 5  # that an error lists


def explain_divergence(
    step: int, learning_rate: float, stage: Stage, samples: WindowSampler, share: np.ndarray, world: World
) -> Diverged:
    """Return the error that names the windows whose own loss or gradient is not finite; every process calls it.

    `share` has the numbers of this process's windows.
    """
    own = [samples.describe(number) for number in share.tolist() if not _is_finite(stage, samples, number, world)]
    windows = [name for names in world.gather(own) for name in names]
    figures = {"step": step, "rate": f"{learning_rate:.3g}"}
    if not windows:
        return Diverged(
            "The gradient is not finite at step {step}, though each window's own is: lower the learning rate (now"
            " {rate}). The last checkpoint is kept.",
            **figures,
        )
    return Diverged(
        "Loss or gradient is not finite at step {step}, in {count} windows of the batch ({windows}): check these"
        " candles, or lower the learning rate (now {rate}). The last checkpoint is kept.",
        **figures,
        count=len(windows),
        windows=", ".join(windows[:MAX_WINDOWS]) + (", ..." if len(windows) > MAX_WINDOWS else ""),
    )


def _is_finite(stage: Stage, samples: WindowSampler, number: int, world: World) -> bool:
    part = stage.inputs(samples.batch(np.array([number])))
    whole = stage.whole([part], World(0, 1, world.device), lambda _: None)
    loss: Tensor = stage.objective(*part, *whole)
    gradients = torch.autograd.grad(loss, list(trained(stage.module).values()))
    return all(bool(tensor.isfinite().all()) for tensor in (loss, *gradients))
