"""The training loop: steps, a log, validations, checkpoints; goes on where it stopped, in one process or many.

A step depends on its number, the config and what a checkpoint holds, and on nothing else: windows are drawn and dropout
is seeded by the number, the schedule is a function of it. Whoever resumes therefore gets the same losses as if training
had never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from engine.checkpoint import save_checkpoint
from engine.compiling import Compiled
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import ConfigError, DataError, Message, RunError, TrainingError, message
from training.fit.adaptation import blocks, checkpoint_activations, merged
from training.fit.advice import learning_rate as advised_rate
from training.fit.checkpoint import State, load_state, save_state, writing
from training.fit.distributed import World
from training.fit.divergence import diverged, validation_diverged
from training.fit.log import LOG, Log
from training.fit.memory import give_back_freed
from training.fit.optimizer import Average, make_optimizers, pack, set_step, trained, unpack
from training.fit.pace import Pace
from training.fit.schedule import momentum, rate
from training.fit.stages import Stage
from training.fit.windows import WindowSampler
from training.run.config import STAGES, RunConfig, StageName
from training.run.folder import StopRequest

WISHES: tuple[StopRequest | None, ...] = (None, "pause", "keep")


class Paused(Exception):
    """Training was asked to pause, and a checkpoint of `step` is written."""

    def __init__(self, step: int) -> None:
        super().__init__(f"paused after step {step}")
        self.step = step


@dataclass(frozen=True)
class StepReport:
    """What a step was like; `loss` is that of all processes' windows, `remaining` in seconds and None at first."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    windows_per_second: float
    remaining: float | None


@dataclass(frozen=True)
class Validation:
    """What a validation found, and whether it is the best so far."""

    step: int
    figures: dict[str, float]
    best: bool
    module: Kronos | KronosTokenizer

    @cached_property
    def network(self) -> Kronos | KronosTokenizer:
        """Return a copy of what was validated (moving average, adapters folded in), ready to forecast with."""
        if isinstance(self.module, Kronos):
            return merged(self.module)
        return merged(self.module)


@dataclass(frozen=True)
class StageResult:
    """How a stage ended; `stopped` where somebody asked to end it and keep the best so far."""

    step: int
    best_step: int
    best_loss: float
    stopped: bool


@dataclass
class _Progress:
    """All but tensors that the next step depends on."""

    step: int = 0
    best_step: int = 0
    best_loss: float | None = None
    stale: int = 0  # validations since the best
    seconds: float = 0.0
    running: float = 0.0  # losses since the last row of the log
    counted: int = 0  # steps since then
    ended: str = ""  # why before the last step: "keep", "patience"


class Figures(Protocol):
    """Takes figures of a step, as a Tracker does."""

    def figures(self, step: int, values: dict[str, float], /) -> None:
        """Take the figures of `step`."""


OnStep = Callable[[StepReport], None]
OnValidation = Callable[[Validation], None]


def train_stage(
    name: StageName,
    stage: Stage,
    config: RunConfig,
    samples: WindowSampler,
    validation: WindowSampler,
    folder: Path,
    world: World,
    *,
    on_step: OnStep | None = None,
    should_stop: Callable[[], StopRequest | None] | None = None,
    on_validation: OnValidation | None = None,
    on_note: Callable[[Message], None] | None = None,
    trackers: Sequence[Figures] = (),
) -> StageResult:
    """Train a stage to its end, from the newest whole checkpoint in `folder` where there is one.

    Every process calls it; the first one writes, reports and is asked whether to stop.

    Parameters
    ----------
    stage
        The network, on the world's device, with the parameters that are to be trained requiring gradients.
    samples, validation
        Windows to learn from and windows to validate with.
    folder
        Receives `log.jsonl`, `checkpoints/` to resume from and the checkpoint of the lowest validation loss, `best/`.
    should_stop
        Asked after each step.
    on_validation
        Called by every process after each validation; the others wait for the slowest.
    on_note
        Told what a person should know, such as a damaged checkpoint.

    Raises
    ------
    Paused
        As `should_stop` wished.
    Diverged
        The loss or its gradient is not finite; weights and the last checkpoint stay as they were.
    RunError
        The folder cannot be written to, or another process is gone.
    ConfigError
        A batch has fewer windows than there are processes.
    """
    calls = _Calls(on_step, should_stop, on_validation, on_note, tuple(trackers))
    return _Training(name, stage, config, samples, validation, folder, world, calls).run()


@dataclass(frozen=True)
class _Calls:
    on_step: OnStep | None
    should_stop: Callable[[], StopRequest | None] | None
    on_validation: OnValidation | None
    on_note: Callable[[Message], None] | None
    trackers: tuple[Figures, ...]


class _Training:
    def __init__(
        self,
        name: StageName,
        stage: Stage,
        config: RunConfig,
        samples: WindowSampler,
        validation: WindowSampler,
        folder: Path,
        world: World,
        calls: _Calls,
    ) -> None:
        self.name, self.stage, self.config, self.folder = name, stage, config.stage(name), folder
        self.machine, self.seed = config.machine, config.seed
        self.samples, self.validation, self.world, self.calls = samples, validation, world, calls
        self.held_out = validation.first_n(self.config.validation_windows)
        self._check()
        self.top = self._highest_rate(config)
        self.optimizers = make_optimizers(stage.module, self.config, self.top)
        self.average = Average(stage.module, self.config.ema) if self.config.ema else None
        self.progress = self._restore()
        if self.machine.checkpoint_activations:
            checkpoint_activations(stage.module)
            give_back_freed()
        if self.machine.compile:
            for block in blocks(stage.module):
                block.forward = Compiled(block.forward)  # type: ignore[method-assign]
        self.objective = world.wrap(stage.objective)
        self.log = Log(folder / LOG, self.progress.step) if world.first else None
        self.pace = Pace(self.config.steps, self.config.batch, self.progress.seconds, self.progress.step)

    def _check(self) -> None:
        if self.config.batch < self.world.size:
            raise ConfigError(
                message(
                    "{stage}.batch is {batch}, but {processes} processes train: each needs a window a step.",
                    stage=self.name,
                    batch=self.config.batch,
                    processes=self.world.size,
                )
            )
        if not len(self.held_out):
            raise DataError(message("There is no window to validate with: no loss would then be the best one."))

    def _highest_rate(self, config: RunConfig) -> float:
        if self.config.learning_rate is not None:
            return self.config.learning_rate
        return advised_rate(self.name, self.samples.windows, scratch=config.base.from_scratch(self.name)).value

    def _restore(self) -> _Progress:
        """Take up the newest whole checkpoint; the first process reads it for all."""
        state, problem = None, None
        if self.world.first:
            try:
                state, notes = load_state(self.folder / "checkpoints")
            except TrainingError as error:
                problem, notes = error, []
            for note in notes:
                self._note(note)
        found = self.world.broadcast(
            {"problem": problem.message.to_dict() if problem else None, "progress": state and dict(state.progress)}
        )
        if found["problem"] is not None:
            raise RunError(Message(**found["problem"]))
        if found["progress"] is None:
            return _Progress()
        tensors = self.world.broadcast_tensors(state.tensors if state else None)
        unpack(tensors, self.stage.module, self.optimizers, self.average)
        return _Progress(**found["progress"])

    def run(self) -> StageResult:
        """Train to the end."""
        progress = self.progress
        while progress.step < self.config.steps and not progress.ended:
            wish = self._step(progress.step)
            done = progress.step
            validated = done % self.config.validate_every == 0 or done == self.config.steps or wish == "keep"
            improved = self._validate() if validated else False
            if wish == "keep" and done < self.config.steps:
                progress.ended = "keep"
            last = done == self.config.steps or bool(progress.ended)
            if improved or last or wish == "pause" or done % self.config.checkpoint_every == 0:
                self._save()
            if wish == "pause" and not last:
                raise Paused(done)
        self.world.barrier()  # who reads `best/` next must not come before it is written
        assert progress.best_loss is not None  # the last step is always validated
        return StageResult(progress.step, progress.best_step, progress.best_loss, progress.ended == "keep")

    def _step(self, step: int) -> StopRequest | None:
        """Do a step, and return what the first process was asked for."""
        self.pace.begin()
        share = self.world.share(self.samples.draw(step, self.config.batch))
        share_of_top = rate(self.config, 1.0, step)
        learning_rate = self.top * share_of_top
        set_step(self.optimizers, share_of_top, momentum(self.config, step))
        self.stage.module.train()
        self.stage.module.zero_grad(set_to_none=True)
        loss, wish = self._descend(step, share)
        norm = nn.utils.clip_grad_norm_(trained(self.stage.module).values(), self.config.clip)
        if not (np.isfinite(loss) and torch.isfinite(norm)):
            with self._precision():
                raise diverged(step + 1, learning_rate, self.stage, self.samples, share, self.world)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.average is not None:
            self.average.update(step + 1)
        self._report(step + 1, loss, learning_rate, norm.item())
        return wish

    def _descend(self, step: int, share: np.ndarray) -> tuple[float, StopRequest | None]:
        """Take the gradient of the loss of the whole batch; return that loss and what the first process was asked."""
        numbers = np.array_split(share, min(self.config.accumulate, len(share)))
        parts = [self.stage.inputs(self.samples.batch(part)) for part in numbers]
        with self._precision():
            whole = self.stage.whole(parts, self.world, lambda part: self._seed(step, part))
        total = torch.zeros(2, dtype=torch.float64)
        for index, part in enumerate(parts):
            # There is no random state to keep: what is dropped out follows from the step and the part.
            self._seed(step, index)
            with nullcontext() if index + 1 == len(parts) else self.world.apart(self.objective):
                with self._precision():
                    loss: Tensor = self.objective(*part, *whole)
                (loss * self.world.size).backward()  # type: ignore[no-untyped-call]  # gradients are averaged
            total[0] += loss.item()
        if self.world.first and self.calls.should_stop is not None:
            total[1] = WISHES.index(self.calls.should_stop())
        loss_of_all, asked = self.world.sum(total)
        return loss_of_all.item(), WISHES[int(asked)]

    def _seed(self, step: int, part: int) -> None:
        keys = [self.seed, STAGES.index(self.name), step, self.world.rank, part]
        torch.manual_seed(int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0] >> np.uint64(1)))

    def _precision(self) -> AbstractContextManager[Any]:
        half = self.machine.precision == "bfloat16"
        return torch.autocast(self.world.device.type, torch.bfloat16) if half else nullcontext()

    def _report(self, step: int, loss: float, learning_rate: float, norm: float) -> None:
        progress, pace = self.progress, self.pace
        progress.step = step
        progress.running, progress.counted = progress.running + loss, progress.counted + 1
        pace.end()
        if step % self.config.log_every == 0 or step == self.config.steps:
            figures = {"loss": progress.running / progress.counted, "learning_rate": learning_rate}
            self._write(figures | {"gradient_norm": norm, "windows_per_second": round(pace.windows_per_second, 2)})
            progress.running, progress.counted = 0.0, 0
        if self.calls.on_step is not None and self.world.first:
            report = StepReport(
                step, self.config.steps, loss, learning_rate, norm, pace.windows_per_second, pace.remaining(step)
            )
            self.calls.on_step(report)

    def _validate(self) -> bool:
        """Validate, keep the network where it is the best so far, and return whether it is."""
        progress, averaged = self.progress, self.average.in_place() if self.average else nullcontext()
        with averaged:
            self.stage.module.eval()
            figures = self._held_out_figures()
            improved = progress.best_loss is None or figures["loss"] < progress.best_loss
            found = Validation(progress.step, figures, improved, self.stage.module)
            if improved:
                progress.best_step, progress.best_loss, progress.stale = progress.step, figures["loss"], 0
            else:
                progress.stale += 1
            if improved and self.world.first:
                with writing(self.folder):
                    save_checkpoint(self.folder / "best", found.network.config, found.network)
            if 0 < self.config.patience <= progress.stale:
                progress.ended = "patience"
            self._write({f"validation_{name}": value for name, value in figures.items()})
            if self.calls.on_validation is not None:
                self.calls.on_validation(found)
        return improved

    def _held_out_figures(self) -> dict[str, float]:
        sums = self.stage.measure(None)
        size = max(1, self.config.batch // self.world.size // self.config.accumulate)
        mine = self.world.share(self.held_out)
        with self._precision():
            for start in range(0, len(mine), size):
                sums += self.stage.measure(self.validation.batch(mine[start : start + size]))
        figures = self.stage.figures(self.world.sum(sums))
        if not np.isfinite(figures["loss"]):
            raise validation_diverged(self.progress.step)
        return figures

    def _save(self) -> None:
        """Have the first process write a checkpoint; where it cannot, no process goes on."""
        self.progress.seconds = self.pace.seconds
        if self.world.first:
            tensors = pack(self.stage.module, self.optimizers, self.average)
            save_state(self.folder / "checkpoints", State(self.progress.step, tensors, asdict(self.progress)))

    def _write(self, figures: dict[str, float]) -> None:
        if self.log is not None:
            self.log.write({"step": self.progress.step, "seconds": round(self.pace.seconds, 1), **figures})
            for tracker in self.calls.trackers:
                tracker.figures(self.progress.step, figures)

    def _note(self, note: Message) -> None:
        if self.calls.on_note is not None:
            self.calls.on_note(note)
