"""The folder of a run is made, and its work done: in this process, or in several that torchrun starts."""

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

from training.errors import ConfigError, Message, RunError, message
from training.fit.memory import hold_to_limit
from training.run.config import STAGES, RunConfig, StageName
from training.run.config_file import read_saved_config, write_config
from training.run.folder import RunFolder, Status, unwritable
from training.run.terminal import first_process

ROOT = Path(__file__).resolve().parents[2]
LISTED = 5  # settings that differ, by name


def only(config: RunConfig, stage: StageName) -> RunConfig:
    """Return `config` with one stage alone.

    Raises
    ------
    ConfigError
        It has no such stage.
    """
    if stage not in config.stages:
        raise ConfigError(message("The config has no section {stage}: add one.", stage=stage))
    return config.model_copy(update={name: None for name in config.stages if name != stage})


def begin(config: RunConfig, folder: Path) -> RunFolder:
    """Make the folder of a run; one that was begun with the same config goes on.

    Settings may still change as long as nothing was trained.

    Raises
    ------
    RunError
        The folder holds a run with another config, or something else, or cannot be written to.
    """
    run = RunFolder(folder)
    if run.config.exists():
        found = differences(read_saved_config(run.config), config)
        if found and (run.alive() or any(run.stage(name).exists() for name in STAGES)):
            raise RunError(_other_settings(folder, found))
        if not found:
            return run
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(unwritable(folder, error)) from error
    strange = any(path != run.prepared and not path.name.startswith(".") for path in folder.iterdir())
    if strange and not run.config.exists():  # which another process of the same training may just have written
        raise RunError(message("{folder} holds other files: choose a new or an empty folder.", folder=str(folder)))
    write_config(config, run.config)
    return run


def _other_settings(folder: Path, found: list[str]) -> Message:
    more = f", and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return message(
        "{folder} holds a run with other settings ({differences}): choose another folder, or go on with `resume`.",
        folder=str(folder),
        differences=", ".join(found[:LISTED]) + more,
    )


def open_run(folder: Path) -> RunFolder:
    """Return a run that was begun.

    Raises
    ------
    RunError
        The folder holds none.
    """
    run = RunFolder(folder)
    if not run.config.is_file():
        raise RunError(message("{folder} holds no run: it has no config.yaml.", folder=str(folder)))
    return run


def differences(one: RunConfig, other: RunConfig) -> list[str]:
    """Return the settings in which two configs differ, as `field: one → other`."""
    return list(_differences(one, other, ""))


def _differences(one: Any, other: Any, name: str) -> Iterator[str]:
    if type(one) is type(other) and isinstance(one, BaseModel):
        for field in type(one).model_fields:
            yield from _differences(getattr(one, field), getattr(other, field), f"{name}.{field}" if name else field)
    elif one != other:
        here, there = ("set" if isinstance(value, BaseModel) else value for value in (one, other))
        yield f"{name}: {here} → {there}"


def work(run: RunFolder) -> Status:
    """Do the work of a run, from where it stopped, and return how it ended.

    With `machine.processes` above 1 torchrun starts that many; whoever was started by torchrun is one of them. Ctrl-C
    and SIGTERM ask for a pause, a second Ctrl-C ends at once.

    Raises
    ------
    TrainingError
        Where it failed before it could write its state.
    """
    config = read_saved_config(run.config)
    hold_to_limit(config.machine.processes)
    forget_old_request(run)
    if _in_torchrun():
        return _work_here(run, config)
    with _pausing(run):
        return _work_here(run, config) if config.machine.processes == 1 else _torchrun(run, config.machine.processes)


def forget_old_request(run: RunFolder) -> None:
    """Take back what an earlier process was asked for; what was asked since this one began stands."""
    process = psutil.Process()
    began = process.parent() if _in_torchrun() else process
    try:
        asked = (run.path / "request.json").stat().st_mtime
    except FileNotFoundError:
        return
    if began is not None and asked < began.create_time() and first_process():
        run.ask(None)


def _in_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def _work_here(run: RunFolder, config: RunConfig) -> Status:
    from training.fit.distributed import World
    from training.run.execute import execute

    world = World.from_environment(config.machine.device)
    try:
        return execute(run, world)
    finally:
        world.close()


def _torchrun(run: RunFolder, processes: int) -> Status:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "training", "resume", str(run.path.resolve())]
    # In a session of its own: Ctrl-C is this process's to understand, torchrun would kill the workers.
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
        raise RunError(
            message("torchrun ended with exit code {code} before the run could say why: see above.", code=code)
        )
    return status


@contextmanager
def _pausing(run: RunFolder) -> Iterator[None]:
    def ask(*_: object) -> None:
        run.ask("pause")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nPausing after this step; Ctrl-C once more ends at once.", file=sys.stderr)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
