"""What to say of a loss that is not finite: after which step, and which windows brought it about."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.errors import Diverged, message
from training.fit.distributed import World
from training.fit.optimizer import trained
from training.fit.stages import Stage
from training.fit.windows import WindowSampler

NAMED = 5  # windows an error lists


def diverged(
    step: int, learning_rate: float, stage: Stage, samples: WindowSampler, share: np.ndarray, world: World
) -> Diverged:
    """Return the error that names the windows whose own loss or gradient is not finite; every process calls it.

    Parameters
    ----------
    share
        Numbers of this process's windows.
    """
    mine = [samples.describe(number) for number in share.tolist() if not _is_finite(stage, samples, number, world)]
    found = [name for names in world.gather(mine) for name in names]
    if not found:
        return Diverged(
            message(
                "The gradient is not finite at step {step}, though each window's own is: lower the learning rate"
                " (now {rate}). The last checkpoint is kept.",
                step=step,
                rate=f"{learning_rate:.3g}",
            )
        )
    return Diverged(
        message(
            "Loss or gradient is not finite at step {step}, in {count} windows of the batch ({windows}): look at these"
            " candles, or lower the learning rate (now {rate}). The last checkpoint is kept.",
            step=step,
            count=len(found),
            windows=", ".join(found[:NAMED]) + (", ..." if len(found) > NAMED else ""),
            rate=f"{learning_rate:.3g}",
        )
    )


def validation_diverged(step: int) -> Diverged:
    """Return the error for a validation loss that is not finite."""
    return Diverged(
        message(
            "The validation loss is not finite after step {step}: look at the candles of the validation split.",
            step=step,
        )
    )


def _is_finite(stage: Stage, samples: WindowSampler, number: int, world: World) -> bool:
    part = stage.inputs(samples.batch(np.array([number])))
    whole = stage.whole([part], World(0, 1, world.device), lambda _: None)
    loss: Tensor = stage.objective(*part, *whole)
    gradients = torch.autograd.grad(loss, list(trained(stage.module).values()))
    return all(bool(tensor.isfinite().all()) for tensor in (loss, *gradients))
