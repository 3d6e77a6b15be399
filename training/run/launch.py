"""Creates the folder of a run and executes it: in this process, or in several that torchrun starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel

from training.errors import ConfigError, RunError
from training.fit.memory import limit_memory
from training.run.config import STAGES, RunConfig, StageName
from training.run.config_file import read_saved_config, write_config
from training.run.folder import RunFolder, Status, write_error
from training.run.terminal import is_first_process

ROOT = Path(__file__).resolve().parents[2]
MAX_DIFFERENCES = 5  # settings that a message lists


def select_stage(config: RunConfig, stage: StageName) -> RunConfig:
    """Return `config` with one stage; a ConfigError says that it has no such stage."""
    if stage not in config.stages:
        raise ConfigError("The config has no section {stage}: add one.", stage=stage)
    return config.model_copy(update={name: None for name in config.stages if name != stage})


def create_run(config: RunConfig, folder: Path) -> RunFolder:
    """Return the run in `folder`: a new one, or an existing one with the same config.

    Settings may change until training has started.

    Raises RunError if the folder holds a run with another config or other files, or cannot be written to.
    """
    run = RunFolder(folder)
    if run.config.exists():
        differences = compare_configs(read_saved_config(run.config), config)
        if not differences:
            return run
        if run.is_running() or any(run.stage(name).exists() for name in STAGES):
            listed, more = differences[:MAX_DIFFERENCES], len(differences) - MAX_DIFFERENCES
            raise RunError(
                "{folder} holds a run with other settings ({differences}): choose another folder, or use `resume`.",
                folder=str(folder),
                differences=", ".join(listed) + (f", and {more} more" if more > 0 else ""),
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(write_error(folder, error)) from error
    has_files = any(path != run.prepared and not path.name.startswith(".") for path in folder.iterdir())
    if has_files and not run.config.exists():  # another process of this run may just have written it
        raise RunError("{folder} holds other files: choose a new or an empty folder.", folder=str(folder))
    write_config(config, run.config)
    return run


def open_run(folder: Path) -> RunFolder:
    """Return an existing run; a RunError says that the folder holds none."""
    run = RunFolder(folder)
    if not run.config.is_file():
        raise RunError("{folder} holds no run: it has no config.yaml.", folder=str(folder))
    return run


def compare_configs(old: RunConfig, new: RunConfig) -> list[str]:
    """Return the settings in which two configs differ, as `field: old → new`."""
    return list(_differences(old, new, ""))


def _differences(old: Any, new: Any, name: str) -> Iterator[str]:
    if type(old) is type(new) and isinstance(old, BaseModel):
        for field in type(old).model_fields:
            yield from _differences(getattr(old, field), getattr(new, field), f"{name}.{field}" if name else field)
    elif old != new:
        before, after = ("set" if isinstance(value, BaseModel) else value for value in (old, new))
        yield f"{name}: {before} → {after}"


def run_training(run: RunFolder) -> Status:
    """Execute a run from where it stopped and return its final status.

    With `machine.processes` above 1 torchrun starts that many processes, each of which calls this, too. Ctrl-C and
    SIGTERM request a pause, a second Ctrl-C ends at once. Raises TrainingError if the status cannot be written.
    """
    config = read_saved_config(run.config)
    limit_memory(config.machine.processes)
    drop_old_request(run)
    if _in_torchrun():
        return _execute_here(run, config)
    with _pause_on_signals(run):
        if config.machine.processes == 1:
            return _execute_here(run, config)
        return _start_torchrun(run, config.machine.processes)


def drop_old_request(run: RunFolder) -> None:
    """Withdraw a request to stop that is older than this process, or than the torchrun that started it."""
    process = psutil.Process()
    starter = process.parent() if _in_torchrun() else process
    requested = run.requested_at()
    if requested is not None and starter is not None and requested < starter.create_time() and is_first_process():
        run.request_stop(None)


def _in_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _execute_here(run: RunFolder, config: RunConfig) -> Status:
    from training.fit.distributed import World
    from training.run.execute import execute

    world = World.from_environment(config.machine.device)
    try:
        return execute(run, world)
    finally:
        world.close()


def _start_torchrun(run: RunFolder, processes: int) -> Status:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "training", "resume", str(run.path.resolve())]
    # A session of its own, because torchrun would kill the workers on Ctrl-C; this process handles it.
    child = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    status = run.status()
    if code and status.error is None:
        raise RunError("torchrun failed with exit code {code} and no message of the run: see above.", code=code)
    return status


@contextmanager
def _pause_on_signals(run: RunFolder) -> Iterator[None]:
    def request_pause(*_: object) -> None:
        run.request_stop("pause")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nPausing after this step; press Ctrl-C again to end at once.", file=sys.stderr)

    before = {number: signal.signal(number, request_pause) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
