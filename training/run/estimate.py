"""Time and memory of a step, measured by a few real steps before a run begins.

The steps run in a process of their own (`python -m training.run.estimate FOLDER`) on a copy of a batch of windows;
nothing of a run is read or written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import torch

from engine.errors import KronosError
from training.errors import Message, RunError, TrainingError
from training.evaluation.base_comparison import AT_ONCE
from training.fit.corpus import ARRAYS, Corpus, Segment
from training.fit.memory import MB, VARIABLE, describe_failure, is_out_of_memory, limit_memory, run_limit
from training.fit.windows import WindowSampler
from training.run.config import RunConfig, StageName
from training.run.folder import write_json

if TYPE_CHECKING:
    from training.fit.loop import StageTraining, StepReport

ROOT = Path(__file__).parents[2]
LIMIT = 120.0  # seconds
GRACE = 120.0  # seconds for the child to start, to load the networks, to score and to end
WARM_UP = 1  # steps whose time does not count


@dataclass(frozen=True)
class Estimate:
    """The measurements of a trial."""

    seconds_per_step: float  # with tokens computed in the step, as for windows that are not yet cached
    memory_bytes: int  # peak of all processes; on an accelerator, of its memory
    trained: int  # parameters that are trained
    parameters: int
    seconds_to_start: float  # of the process, until its first step
    seconds_per_validation: float | None = None  # of a window; None if time was up
    seconds_per_cutoff: float | None = None  # of the scores; None if not measured or time was up


def estimate(
    config: RunConfig, corpus: Corpus, stage: StageName, steps: int = 3, limit: float = LIMIT, *, scoring: bool = False
) -> Estimate:
    """Measure `steps` steps of a stage after a warm-up step, in a process of low priority.

    Parameters
    ----------
    corpus
        Prepared candles, of which a batch of windows is used, or as many as are scored together.
    limit
        Seconds after which no further step begins.
    scoring
        Whether to measure the scoring of a cutoff, too.

    Raises DataError if no series is as long as a window; RunError if the trial failed, with the reason, or did not
    complete a step in time.
    """
    with tempfile.TemporaryDirectory(prefix="kronos-trial-") as name:
        folder = Path(name)
        _write_trial(folder, config, corpus, stage, steps, limit, scoring=scoring)
        try:
            child = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "training.run.estimate", str(folder)],
                cwd=ROOT,
                check=False,
                capture_output=True,
                text=True,
                timeout=limit + GRACE,
                env={**os.environ, VARIABLE: str(run_limit() // MB)},
            )
            output = child.stderr
        except subprocess.TimeoutExpired:
            output = ""
        return _read_result(folder, output, limit, config.machine.processes)


def _read_result(folder: Path, output: str, limit: float, processes: int) -> Estimate:
    try:
        result: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        reason = output.strip().rpartition("\n")[2] or f"no step was completed in {limit:.0f} s"
        raise RunError("The trial failed: {reason}.", reason=reason.rstrip(".")) from None
    if "error" in result:
        raise RunError(Message.from_dict(result["error"]))
    return Estimate(**result | {"memory_bytes": result["memory_bytes"] * processes})


def _write_trial(
    folder: Path,
    config: RunConfig,
    corpus: Corpus,
    stage: StageName,
    steps: int,
    limit: float,
    *,
    scoring: bool = False,
) -> None:
    """Write the child's settings, and the windows that one process learns from in a step."""
    sampler = WindowSampler(corpus.of("train"), config.window, config.seed)
    settings = config.stage(stage)
    share = max(1, settings.batch // config.machine.processes)
    windows = max(share, AT_ONCE) if scoring else share
    rows = sampler.rows(sampler.draw(0, windows))[:, None] + np.arange(config.window.size)  # (B, T)
    np.savez(
        folder / "windows.npz", allow_pickle=False, **{name: getattr(corpus, name)[rows.ravel()] for name in ARRAYS}
    )
    changes = {"batch": share, "accumulate": min(share, settings.accumulate), "steps": 10**6}
    trial = config.model_copy(update={stage: settings.model_copy(update=changes)})
    write_json(
        folder / "trial.json",
        {"config": trial.model_dump(mode="json"), "stage": stage, "steps": steps, "limit": limit, "scoring": scoring},
    )


class _Measured(Exception):
    """The trial is complete."""


class _StepTimer:
    """Measures steps, and ends the trial."""

    def __init__(self, folder: Path, trial: dict[str, Any], module: torch.nn.Module) -> None:
        from training.fit.adaptation import trained_parameters

        self.folder, self.steps = folder, WARM_UP + trial["steps"]
        self.start = time.time() - psutil.Process().create_time()
        self.last = time.perf_counter()
        self.end = self.last + trial["limit"]
        self.device = next(module.parameters()).device
        self.trained, self.parameters = trained_parameters(module)
        self.seconds: list[float] = []

    def __call__(self, _: StepReport) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        seconds = median(self.seconds[WARM_UP:] or self.seconds)
        self.write(Estimate(seconds, _peak_memory(self.device), self.trained, self.parameters, self.start))
        if len(self.seconds) == self.steps or now >= self.end:
            raise _Measured
        self.last = time.perf_counter()

    def write(self, result: Estimate) -> None:
        """Write what has been measured so far: the process may be ended."""
        self.result = result
        write_json(self.folder / "found.json", asdict(result))


def _run_trial(folder: Path) -> None:
    from training.fit.adaptation import adapt
    from training.fit.building import build_base
    from training.fit.distributed import World
    from training.fit.loop import Callbacks, StageTraining
    from training.fit.stages import PredictorStage, Stage, TokenizerStage
    from training.fit.tokens import TokenCache
    from training.run.scoring_time import measure_scoring

    trial = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
    config, name = RunConfig.model_validate(trial["config"]), trial["stage"]
    torch.set_num_threads(config.machine.threads or max(1, (os.cpu_count() or 1) // config.machine.processes))
    world, base = World.alone(config.machine.device), build_base(config)
    shared = base.tokenizer.config.shared_deviation
    corpus = _read_windows(folder, config.window.size)
    samples = WindowSampler(corpus, config.window, config.seed, shared_deviation=shared)
    stage: Stage
    if name == "tokenizer":
        tokenizer = adapt(base.tokenizer, config.method, name, config.seed)
        stage = TokenizerStage(tokenizer.to(world.device), config.reconstruction)
    else:
        tokens = TokenCache(base.tokenizer, samples, None, world.device)
        predictor = adapt(base.predictor, config.method, name, config.seed)
        stage = PredictorStage(predictor.to(world.device), tokens, tokens)
    timer = _StepTimer(folder, trial, stage.module)
    stage_training = StageTraining(stage, config, samples, samples, folder / name, world, Callbacks(timer))
    with suppress(_Measured):
        stage_training.run()
    timer.write(replace(timer.result, seconds_per_validation=_time_validation(stage_training)))
    if trial["scoring"]:
        seconds = measure_scoring(build_base(config), corpus, config, world.device)
        timer.write(replace(timer.result, seconds_per_cutoff=seconds))


def _time_validation(stage_training: StageTraining) -> float:
    """Return the seconds that a window of a validation takes."""
    stage_training.stage.module.eval()
    begun = time.perf_counter()
    stage_training.measure_validation()
    return (time.perf_counter() - begun) / len(stage_training.held_out)


def _read_windows(folder: Path, size: int) -> Corpus:
    """Return the windows of the trial, each as a series."""
    with np.load(folder / "windows.npz") as parts:
        arrays = {name: parts[name] for name in ARRAYS}
    starts = range(0, len(arrays["values"]), size)
    segments = tuple(Segment("trial", str(start), "train", start, start + size) for start in starts)
    return Corpus(**arrays, segments=segments)


def _peak_memory(device: torch.device) -> int:
    """Return the peak bytes of the accelerator's memory, else of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # the resource module's peak includes the parent's memory
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _main(folder: Path) -> None:
    if hasattr(os, "nice"):
        os.nice(10)
    limit_memory(1)
    try:
        _run_trial(folder)
    except (TrainingError, KronosError, MemoryError, RuntimeError) as error:
        if not isinstance(error, TrainingError | KronosError) and not is_out_of_memory(error):
            raise
        write_json(folder / "found.json", {"error": describe_failure(error).to_dict()})


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
