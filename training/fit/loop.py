"""The training loop: steps, log, validations, checkpoints; resumes where it stopped, in one process or several.

A step depends only on its number, the config and the last checkpoint: the number seeds windows and dropout and sets the
learning rate. So a resumed run has the same losses as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.compiling import Compiled
from engine.loading.checkpoint import save_checkpoint
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.errors import ConfigError, DataError, Diverged, Message, RunError, TrainingError
from training.fit.adaptation import blocks, checkpoint_activations, merge_adapters
from training.fit.advice import advise_rate
from training.fit.checkpoint import State, explain_write_errors, load_state, save_state
from training.fit.distributed import World
from training.fit.divergence import explain_divergence
from training.fit.log import Log
from training.fit.memory import return_freed_memory
from training.fit.optimizer import Average, make_optimizers, pack, set_step, trained, unpack
from training.fit.pace import Pace
from training.fit.schedule import momentum, rate
from training.fit.stages import Stage
from training.fit.windows import WindowSampler
from training.run.config import STAGES, RunConfig
from training.run.folder import LOG, StopRequest

REQUESTS: tuple[StopRequest | None, ...] = (None, "pause", "keep")


class Paused(Exception):
    """Training was paused, with a checkpoint of `step`."""

    def __init__(self, step: int) -> None:
        super().__init__(f"paused after step {step}")
        self.step = step


@dataclass(frozen=True)
class StepReport:
    """Figures of a step."""

    step: int
    steps: int
    loss: float  # over the windows of all processes
    learning_rate: float
    gradient_norm: float
    windows_per_second: float
    remaining: float | None  # seconds; None at first


@dataclass(frozen=True)
class Validation:
    """Figures of a validation."""

    step: int
    figures: dict[str, float]
    best: bool  # so far
    module: Kronos | KronosTokenizer

    @cached_property
    def network(self) -> Kronos | KronosTokenizer:
        """Return a copy of the validated network (weight average, adapters merged) that can forecast."""
        if isinstance(self.module, Kronos):
            return merge_adapters(self.module)
        return merge_adapters(self.module)


@dataclass(frozen=True)
class StageResult:
    """The end of a stage."""

    step: int
    best_step: int
    best_loss: float
    stopped: bool  # on request, keeping the best checkpoint


@dataclass
class _Progress:
    """All but tensors that the next step depends on; stored in checkpoints."""

    step: int = 0
    best_step: int = 0
    best_loss: float | None = None
    stale: int = 0  # validations since the best
    seconds: float = 0.0
    running: float = 0.0  # sum of the losses since the last row of the log
    counted: int = 0  # their number
    ended: str = ""  # reason for an early end: "keep", "patience"


@dataclass(frozen=True)
class Callbacks:
    """Functions that the loop calls: all in the first process only, except `on_validation`."""

    on_step: Callable[[StepReport], None] = lambda _: None
    stop_request: Callable[[], StopRequest | None] = lambda: None  # after each step
    on_validation: Callable[[Validation], None] = lambda _: None  # in every process; the others wait for the slowest
    on_note: Callable[[Message], None] = lambda _: None  # such as a damaged checkpoint
    on_figures: Callable[[int, dict[str, float]], None] = lambda _, __: None  # with each row of the log


class StageTraining:
    """The training of a stage, from the newest valid checkpoint in `folder`; every process runs it.

    Parameters
    ----------
    stage
        The network on the world's device; the parameters to train require gradients.
    samples, validation
        Training and validation windows.
    folder
        Receives `log.jsonl`, `checkpoints/` and `best/`, the checkpoint of the lowest validation loss.

    Raises RunError if the folder cannot be written to; ConfigError if a batch is smaller than the number of processes.
    """

    def __init__(
        self,
        stage: Stage,
        config: RunConfig,
        samples: WindowSampler,
        validation: WindowSampler,
        folder: Path,
        world: World,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.stage, self.config, self.folder = stage, config.stage(stage.name), folder
        self.machine, self.seed = config.machine, config.seed
        self.samples, self.validation, self.world = samples, validation, world
        self.callbacks = callbacks or Callbacks()
        self.held_out = validation.first_n(self.config.validation_windows)
        self._check()
        scratch = config.base.from_scratch(stage.name)
        self.top = self.config.learning_rate or advise_rate(stage.name, samples.windows, scratch=scratch)[0]
        self.optimizers = make_optimizers(stage.module, self.config, self.top)
        self.average = Average(stage.module, self.config.ema) if self.config.ema else None
        self.progress = self._restore()
        if self.machine.checkpoint_activations:
            checkpoint_activations(stage.module)
            return_freed_memory()
        if self.machine.compile:
            for block in blocks(stage.module):
                block.forward = Compiled(block.forward)  # type: ignore[method-assign]
        self.objective = world.wrap(stage.objective)
        self.log = Log(folder / LOG, self.progress.step) if world.first else None
        self.pace = Pace(self.config.steps, self.config.batch, self.progress.seconds, self.progress.step)

    def _check(self) -> None:
        if self.config.batch < self.world.size:
            raise ConfigError(
                "{stage}.batch is {batch}, but there are {processes} processes: each needs a window per step.",
                stage=self.stage.name, batch=self.config.batch, processes=self.world.size,
            )  # fmt: skip
        if not len(self.held_out):
            raise DataError("There is no validation window, so no best checkpoint can be chosen.")

    def _restore(self) -> _Progress:
        """Load the newest valid checkpoint; the first process reads it for all."""
        state, problem = None, None
        if self.world.first:
            try:
                state, notes = load_state(self.folder / "checkpoints")
                for note in notes:
                    self.callbacks.on_note(note)
            except TrainingError as error:
                problem = error.message.to_dict()
        shared = self.world.broadcast({"problem": problem, "progress": state and dict(state.progress)})
        if shared["problem"] is not None:
            raise RunError(Message.from_dict(shared["problem"]))
        if shared["progress"] is None:
            return _Progress()
        tensors = self.world.broadcast_tensors(state.tensors if state else None)
        unpack(tensors, self.stage.module, self.optimizers, self.average)
        return _Progress(**shared["progress"])

    def run(self) -> StageResult:
        """Train to the end.

        Raises Paused on a request to pause; Diverged if the loss or its gradient is not finite (weights and the last
        checkpoint stay unchanged); RunError if the folder cannot be written to, or another process has ended.
        """
        progress = self.progress
        while progress.step < self.config.steps and not progress.ended:
            request = self._step(progress.step)
            step = progress.step
            due = step % self.config.validate_every == 0 or step == self.config.steps or request == "keep"
            improved = self._validate() if due else False
            if request == "keep" and step < self.config.steps:
                progress.ended = "keep"
            last = step == self.config.steps or bool(progress.ended)
            if improved or last or request == "pause" or step % self.config.checkpoint_every == 0:
                self._save()
            if request == "pause" and not last:
                raise Paused(step)
        self.world.barrier()  # `best/` must be written before another process reads it
        assert progress.best_loss is not None  # the last step is always validated
        return StageResult(progress.step, progress.best_step, progress.best_loss, progress.ended == "keep")

    def _step(self, step: int) -> StopRequest | None:
        """Do a step, and return the request to stop that the first process has read."""
        self.pace.begin()
        share = self.world.share(self.samples.draw(step, self.config.batch))
        share_of_top = rate(self.config, 1.0, step)
        learning_rate = self.top * share_of_top
        set_step(self.optimizers, share_of_top, momentum(self.config, step))
        self.stage.module.train()
        self.stage.module.zero_grad(set_to_none=True)
        loss, request = self._descend(step, share)
        norm = nn.utils.clip_grad_norm_(trained(self.stage.module).values(), self.config.clip)
        if not (np.isfinite(loss) and torch.isfinite(norm)):
            with self._precision():
                raise explain_divergence(step + 1, learning_rate, self.stage, self.samples, share, self.world)
        for optimizer in self.optimizers:
            optimizer.step()
        if self.average is not None:
            self.average.update(step + 1)
        self._report(step + 1, loss, learning_rate, norm.item())
        return request

    def _descend(self, step: int, share: np.ndarray) -> tuple[float, StopRequest | None]:
        """Compute the gradient of the whole batch's loss; return that loss and the first process's stop request."""
        numbers = np.array_split(share, min(self.config.accumulate, len(share)))
        parts = [self.stage.inputs(self.samples.batch(part)) for part in numbers]
        with self._precision():
            whole = self.stage.whole(parts, self.world, lambda part: self._seed(step, part))
        total = torch.zeros(2, dtype=torch.float64)
        for index, part in enumerate(parts):
            self._seed(step, index)  # dropout depends on step and part alone, so no random state is stored
            with nullcontext() if index + 1 == len(parts) else self.world.apart(self.objective):
                with self._precision():
                    loss: Tensor = self.objective(*part, *whole)
                (loss * self.world.size).backward()  # type: ignore[no-untyped-call]  # gradients are averaged
            total[0] += loss.item()
        if self.world.first:
            total[1] = REQUESTS.index(self.callbacks.stop_request())
        total_loss, request = self.world.sum(total)
        return total_loss.item(), REQUESTS[int(request)]

    def _seed(self, step: int, part: int) -> None:
        keys = [self.seed, STAGES.index(self.stage.name), step, self.world.rank, part]
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
        if self.world.first:
            speed, remaining = pace.windows_per_second, pace.remaining(step)
            self.callbacks.on_step(StepReport(step, self.config.steps, loss, learning_rate, norm, speed, remaining))

    def _validate(self) -> bool:
        """Validate, save the network if it is the best so far, and return whether it is."""
        progress = self.progress
        with self.average.in_place() if self.average else nullcontext():
            self.stage.module.eval()
            figures = self.measure_validation()
            improved = progress.best_loss is None or figures["loss"] < progress.best_loss
            validation = Validation(progress.step, figures, improved, self.stage.module)
            if improved:
                progress.best_step, progress.best_loss, progress.stale = progress.step, figures["loss"], 0
                if self.world.first:
                    with explain_write_errors(self.folder):
                        save_checkpoint(self.folder / "best", validation.network.config, validation.network)
            else:
                progress.stale += 1
            if 0 < self.config.patience <= progress.stale:
                progress.ended = "patience"
            self._write({f"validation_{name}": value for name, value in figures.items()})
            self.callbacks.on_validation(validation)
        return improved

    def measure_validation(self) -> dict[str, float]:
        """Return the figures of all validation windows; the module must be in eval mode. Raises Diverged."""
        sums = self.stage.measure(None)
        size = max(1, self.config.batch // self.world.size // self.config.accumulate)
        share = self.world.share(self.held_out)
        with self._precision():
            for start in range(0, len(share), size):
                sums += self.stage.measure(self.validation.batch(share[start : start + size]))
        figures = self.stage.figures(self.world.sum(sums))
        if not np.isfinite(figures["loss"]):
            raise Diverged(
                "The validation loss is not finite after step {step}: check the candles of the validation split.",
                step=self.progress.step,
            )
        return figures

    def _save(self) -> None:
        """Write a checkpoint in the first process; a failure ends all processes."""
        self.progress.seconds = self.pace.seconds
        if self.world.first:
            tensors = pack(self.stage.module, self.optimizers, self.average)
            save_state(self.folder / "checkpoints", State(self.progress.step, tensors, asdict(self.progress)))

    def _write(self, figures: dict[str, float]) -> None:
        if self.log is not None:
            self.log.write({"step": self.progress.step, "seconds": round(self.pace.seconds, 1), **figures})
            self.callbacks.on_figures(self.progress.step, figures)
