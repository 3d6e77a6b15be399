"""The training loop: steps, a log, validations, checkpoints; goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from engine.checkpoint import save_checkpoint
from training.checkpoint import load_state, save_state
from training.config import TrainingConfig
from training.stages import Stage
from training.windows import WindowSampler

LOG = "log.jsonl"


def make_optimizer(module: nn.Module, config: TrainingConfig) -> optim.AdamW:
    """Return AdamW that decays matrices and leaves vectors alone."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95))


def train(
    stage: Stage,
    config: TrainingConfig,
    samples: WindowSampler,
    validation: WindowSampler,
    folder: Path,
    *,
    on_step: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train `stage` to the end of `config.steps`, from the checkpoint in `folder` where there is one.

    Parameters
    ----------
    samples, validation
        Windows to learn from and windows to judge by.
    folder
        Receives `log.jsonl`, `state.safetensors` to resume from, `last/` and the checkpoint of the lowest validation
        loss, `best/`.
    on_step
        Called after each step with (done, total); may raise to stop.

    Returns
    -------
    dict
        Progress: step, best validation loss, seconds trained.

    Raises
    ------
    FloatingPointError
        Where the loss or its gradient is not finite; the last checkpoint stays as it was.
    """
    optimizer = make_optimizer(stage.module, config)
    progress = load_state(folder, stage.module, optimizer) or {"step": 0, "best": None, "seconds": 0.0}
    if config.compile:
        stage.compile()
    held_out = [validation(index, 8) for index in range(-(-config.validation_windows // 8))]
    started = time.monotonic() - progress["seconds"]
    progress.setdefault("running", 0.0)  # sum of the losses since the last line of the log
    for step in range(progress["step"], config.steps):
        loss = _step(stage, optimizer, config, samples, step)
        progress |= {"step": step + 1, "seconds": time.monotonic() - started, "running": progress["running"] + loss}
        if (step + 1) % config.log_every == 0:
            mean = progress["running"] / config.log_every
            _log(folder, progress, {"train_loss": mean, "learning_rate": config.rate(step)})
            progress["running"] = 0.0
        if (step + 1) % config.validate_every == 0 or step + 1 == config.steps:
            _validate(stage, optimizer, held_out, folder, progress)
        if on_step:
            on_step(step + 1, config.steps)
    return progress


def _step(stage: Stage, optimizer: optim.Optimizer, c: TrainingConfig, samples: WindowSampler, step: int) -> float:
    stage.module.train()
    for group in optimizer.param_groups:
        group["lr"] = c.rate(step)
    loss = stage.loss(samples(step))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(stage.module.parameters(), c.clip)
    for name, value in (("loss", loss), ("gradient", norm)):
        if not torch.isfinite(value):
            raise FloatingPointError(
                f"The {name} became {value.item()} at step {step + 1}: lower learning_rate={c.learning_rate}."
            )
    optimizer.step()
    return loss.item()


def _validate(
    stage: Stage, optimizer: optim.Optimizer, held_out: list[Any], folder: Path, progress: dict[str, Any]
) -> None:
    stage.module.eval()
    figures = stage.validate(held_out)
    if progress["best"] is None or figures["loss"] < progress["best"]:
        progress["best"] = figures["loss"]
        save_checkpoint(folder / "best", stage.module.config, stage.module)
    save_checkpoint(folder / "last", stage.module.config, stage.module)
    _log(folder, progress, {f"validation_{name}": value for name, value in figures.items()})
    save_state(folder, stage.module, optimizer, progress)


def _log(folder: Path, progress: dict[str, Any], figures: dict[str, float]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    row = {"step": progress["step"], "seconds": round(progress["seconds"], 1), **figures}
    with (folder / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(row) + "\n")
