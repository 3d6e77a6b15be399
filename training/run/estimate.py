"""How long a step takes and how much memory, measured by a few real steps before a run begins.

The steps are those of the loop itself, in a process of their own (`python -m training.run.estimate FOLDER`) on a
copy of as many windows as a batch has; nothing of a run is read or written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from engine.errors import KronosError
from training.errors import Message, RunError, TrainingError, message
from training.fit.corpus import Corpus, Segment
from training.fit.memory import MB, VARIABLE, hold_to_limit, is_out_of_memory, run_limit
from training.fit.windows import WindowSampler
from training.run.config import RunConfig, StageName
from training.run.folder import write_json

if TYPE_CHECKING:
    from training.fit.loop import StepReport

ROOT = Path(__file__).parents[2]
LIMIT = 120.0  # seconds
GRACE = 60.0  # for the child to start, to load the networks and to end
WARM_UP = 1  # steps whose time does not count


@dataclass(frozen=True)
class Estimate:
    """What a trial found.

    Attributes
    ----------
    seconds_per_step
        With tokens computed in the step, as they are until every window has come once.
    memory_bytes
        At the peak, of all processes on this machine; on an accelerator, of its memory.
    trained, parameters
        How many parameters are trained, and how many there are.
    """

    seconds_per_step: float
    memory_bytes: int
    trained: int
    parameters: int


def estimate(config: RunConfig, corpus: Corpus, stage: StageName, steps: int = 3, limit: float = LIMIT) -> Estimate:
    """Try `steps` steps of a stage after a first one that does not count, in a process that yields to others.

    Parameters
    ----------
    corpus
        Candles as they were prepared; only a batch of them is used.
    limit
        Seconds after which no further step begins; what was measured by then counts.

    Raises
    ------
    DataError
        No series is as long as a window.
    RunError
        The trial failed, with the reason, or was not done with its first step in time.
    """
    with tempfile.TemporaryDirectory(prefix="kronos-trial-") as name:
        folder = Path(name)
        _hand_over(folder, config, corpus, stage, steps, limit)
        command = [sys.executable, "-m", "training.run.estimate", str(folder)]
        try:
            done = subprocess.run(  # noqa: S603
                command,
                cwd=ROOT,
                check=False,
                capture_output=True,
                text=True,
                timeout=limit + GRACE,
                env={**os.environ, VARIABLE: str(run_limit() // MB)},
            )
            said = done.stderr
        except subprocess.TimeoutExpired:
            said = ""
        return _outcome(folder, said, limit, config.machine.processes)


def _outcome(folder: Path, said: str, limit: float, processes: int) -> Estimate:
    try:
        found: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        reason = said.strip().rpartition("\n")[2] or f"no step was done in {limit:.0f} s"
        raise RunError(message("The trial did not work: {reason}.", reason=reason.rstrip("."))) from None
    if "error" in found:
        raise RunError(Message(**found["error"]))
    return Estimate(**found | {"memory_bytes": found["memory_bytes"] * processes})


def _hand_over(folder: Path, config: RunConfig, corpus: Corpus, stage: StageName, steps: int, limit: float) -> None:
    """Write what the child reads: the settings, and as many windows as its process learns from in a step."""
    sampler = WindowSampler(corpus.of("train"), config.window, config.seed)
    share = max(1, config.stage(stage).batch // config.machine.processes)
    rows = sampler.rows(sampler.draw(0, share))[:, None] + np.arange(config.window.size)  # (B, T)
    parts = {name: getattr(corpus, name)[rows.ravel()] for name in ("values", "marks", "times")}
    np.savez(folder / "windows.npz", allow_pickle=False, **parts)
    few = config.stage(stage).model_copy(
        update={"batch": share, "accumulate": min(share, config.stage(stage).accumulate), "steps": 10**6}
    )
    settings = {"config": config.model_copy(update={stage: few}).model_dump(mode="json")}
    write_json(folder / "trial.json", settings | {"stage": stage, "steps": steps, "limit": limit})


class _Enough(Exception):
    """All that was to be measured is measured."""


class _Watch:
    """Notes how long steps take, and ends the trial."""

    def __init__(self, folder: Path, trial: dict[str, Any], module: torch.nn.Module) -> None:
        from training.fit.adaptation import trained_parameters

        self.folder, self.wanted = folder, WARM_UP + trial["steps"]
        self.began = self.last = time.perf_counter()
        self.end = self.began + trial["limit"]
        self.device = next(module.parameters()).device
        self.trained, self.parameters = trained_parameters(module)
        self.seconds: list[float] = []

    def __call__(self, _: StepReport) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        took = median(self.seconds[WARM_UP:] or self.seconds)
        found = Estimate(took, _peak(self.device), self.trained, self.parameters)
        write_json(self.folder / "found.json", asdict(found))
        if len(self.seconds) == self.wanted or now >= self.end:
            raise _Enough
        self.last = time.perf_counter()


def _try(folder: Path) -> None:
    """Do the steps of a trial that `_hand_over` wrote."""
    from training.fit.building import build_base
    from training.fit.distributed import World
    from training.fit.loop import train_stage
    from training.fit.stages import PredictorStage, Stage, TokenizerStage
    from training.fit.tokens import TokenCache

    trial = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
    config, name = RunConfig.model_validate(trial["config"]), trial["stage"]
    torch.set_num_threads(config.machine.threads or max(1, (os.cpu_count() or 1) // config.machine.processes))
    world, base = World.alone(config.machine.device), build_base(config)
    shared = base.tokenizer.config.shared_deviation
    samples = WindowSampler(_windows(folder, config.window.size), config.window, config.seed, shared_deviation=shared)
    stage: Stage
    if name == "tokenizer":
        stage = TokenizerStage(_adapted(config, base.tokenizer, name, world), config.reconstruction)
    else:
        tokens = TokenCache(base.tokenizer, samples, None, world.device)
        stage = PredictorStage(_adapted(config, base.predictor, name, world), tokens, tokens)
    watch = _Watch(folder, trial, stage.module)
    try:
        train_stage(name, stage, config, samples, samples, folder / name, world, on_step=watch)
    except _Enough:
        return


def _adapted(config: RunConfig, network: Any, name: StageName, world: Any) -> Any:
    from training.fit.adaptation import adapt

    return adapt(network, config.method, name, config.seed).to(world.device)


def _windows(folder: Path, size: int) -> Corpus:
    """Return the windows handed over, each a series of its own."""
    with np.load(folder / "windows.npz") as parts:
        arrays = {name: parts[name] for name in ("values", "marks", "times")}
    starts = range(0, len(arrays["values"]), size)
    segments = tuple(Segment("trial", "trial", "train", start, start + size) for start in starts)
    return Corpus(**arrays, segments=segments)


def _peak(device: torch.device) -> int:
    """Return the most bytes in use so far: of the accelerator's memory, else of this process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():  # the high-water mark of the resource module counts the parent's memory, too
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import psutil

    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _main(folder: Path) -> None:
    if hasattr(os, "nice"):
        os.nice(10)
    hold_to_limit(1)
    try:
        _try(folder)
    except TrainingError as error:
        write_json(folder / "found.json", {"error": error.message.to_dict()})
    except KronosError as error:
        write_json(folder / "found.json", {"error": message("{reason}", reason=str(error)).to_dict()})
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        said = message("There was not enough memory: choose a smaller batch, or accumulate it in more parts.")
        write_json(folder / "found.json", {"error": said.to_dict()})


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
