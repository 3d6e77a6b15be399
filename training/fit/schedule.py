"""Learning rate and momentum of every step: functions of the step alone, so no scheduler state is stored."""

from __future__ import annotations

import math

from training.run.config import StageConfig

ONECYCLE_START, ONECYCLE_END = 0.1, 0.001  # of the peak rate
COSINE_END = 0.1
SWING = 0.05  # of momentum, up and down, over a one-cycle


def rate(stage: StageConfig, top: float, step: int) -> float:
    """Return the learning rate of `step`, from 0, for the peak rate `top`.

    One-cycle is that of arXiv:1708.07120 as in `torch.optim.lr_scheduler.OneCycleLR`, the trapezoid that of
    arXiv:2405.18392.
    """
    if stage.schedule == "onecycle":
        rising, share = _cycle(stage, step)
        return top * (_cosine(ONECYCLE_START, 1.0, share) if rising else _cosine(1.0, ONECYCLE_END, share))
    warm = stage.warmup * stage.steps
    up = min(1.0, (step + 1) / warm) if warm else 1.0
    if stage.schedule == "cosine":
        return top * up * _cosine(1.0, COSINE_END, max(0.0, (step + 1 - warm) / (stage.steps - warm)))
    falling = stage.decay * stage.steps
    return top * up * (min(1.0, (stage.steps - step) / falling) if falling else 1.0)


def momentum(stage: StageConfig, step: int) -> float:
    """Return AdamW's first beta at `step`: falling and rising again with one-cycle, else constant."""
    middle = stage.betas[0]
    if stage.schedule != "onecycle":
        return middle
    high, low = min(middle + SWING, 0.999), max(middle - SWING, 0.0)
    rising, share = _cycle(stage, step)
    return _cosine(high, low, share) if rising else _cosine(low, high, share)


def _cycle(stage: StageConfig, step: int) -> tuple[bool, float]:
    """Return whether the rate rises at `step` of a one-cycle, and the completed share of that phase."""
    peak, last = stage.warmup * stage.steps - 1, stage.steps - 1
    if step <= peak:
        return True, step / peak if peak > 0 else 1.0
    return False, (step - peak) / (last - peak)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
