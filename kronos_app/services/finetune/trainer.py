"""Trainers: separate processes, which continue when the tab is closed or the server stops."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

import psutil

from kronos_app.errors import explain_os_errors
from kronos_app.i18n import text
from kronos_app.services.core.redaction import ROOT
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.run import read_status

if TYPE_CHECKING:
    from kronos_app.services.finetune.run import TuneRun
    from kronos_app.settings import Settings

log = logging.getLogger(__name__)

TRAINER = "trainer.json"
NICENESS = 10
SECONDS_TO_DIE = 10.0
WATCH_SECONDS = 1.0


class Trainers:
    """Starts, watches and ends trainers; every thread may use it.

    Parameters
    ----------
    settings
        Limits of the trainers.
    on_end
        Called from a separate thread when a trainer that this process started has ended.
    """

    def __init__(self, settings: Settings, on_end: Callable[[], object]) -> None:
        self._settings = settings
        self._on_end = on_end
        self._lock = Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, run: TuneRun) -> None:
        """Start a process that trains a run, or continues it; raises Unavailable if it cannot be started."""
        from training.run.folder import write_json

        command = [sys.executable, "-m", "training", "resume", str(run.path)]
        started = explain_os_errors(
            "trainer_not_started",
            text("The trainer could not be started: {reason}."),
            text("Check the free space and the memory of this machine, then resume the run."),
        )
        with started, run.folder.log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603 - only the folder varies, and its name is ours
                command,
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with suppress(psutil.Error, OSError), training_errors():
            process = psutil.Process(child.pid)
            process.nice(max(NICENESS, process.nice()))  # pages and forecasts have priority
            write_json(run.path / TRAINER, {"pid": child.pid, "created": process.create_time()})
        with self._lock:
            self._children[run.id] = child
        Thread(target=self._watch, args=(run, child), name=f"kronos-run-{run.id}", daemon=True).start()

    def _environment(self) -> dict[str, str]:
        """Return the environment of a trainer, with the limits of the administrator."""
        from training.fit import memory
        from training.run import addresses

        return {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            addresses.VARIABLE: json.dumps(self._settings.allowed_addresses),
            memory.VARIABLE: str(self._memory_limit() // memory.MB),
        }

    def _memory_limit(self) -> int:
        from training.fit.memory import run_limit

        return self._settings.run_memory_bytes or run_limit()

    def alive(self, run: TuneRun) -> bool:
        """Return whether a trainer of the run is running or has just been started."""
        with self._lock:
            child = self._children.get(run.id)
        if child is not None and child.poll() is None:
            return True
        return _process(run.path) is not None or run.status().state == "running"

    def kill(self, path: Path) -> None:
        """End the trainer of the run in a folder and its child processes at once."""
        processes: list[psutil.Process] = []
        for root in (_process(path), _holder(path)):
            if root is not None:
                with suppress(psutil.Error):
                    processes += [*root.children(recursive=True), root]
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=SECONDS_TO_DIE)

    def _watch(self, run: TuneRun, child: subprocess.Popen[bytes]) -> None:
        limit = self._memory_limit()
        while True:
            with suppress(subprocess.TimeoutExpired):
                child.wait(WATCH_SECONDS)
                break
            if _memory(child.pid) > limit:  # if the system does not enforce the limit
                log.warning("The trainer of run %s uses more than %d MB and is ended", run.id, limit // 1_000_000)
                self.kill(run.path)
                _write_memory_error(run, limit)
        with self._lock:
            if self._children.get(run.id) is child:
                del self._children[run.id]
        try:
            self._on_end()
        except Exception:  # the keeper tries again
            log.exception("The next run could not be started")


def _memory(pid: int) -> int:
    """Return the memory of a process and its child processes in bytes."""
    size = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                size += process.memory_info().rss
    return size


def _write_memory_error(run: TuneRun, limit: int) -> None:
    """Write to the status of the run why its trainer was ended."""
    from training.errors import message

    error = message(
        "The run used more than its limit of {limit} GB of memory and was ended: choose a smaller "
        "batch, a shorter window or a smaller model.",
        limit=f"{limit / 1e9:.1f}",
    )
    with suppress(OSError), training_errors():
        run.folder.write_status(state="failed", error=error)


def _process(path: Path) -> psutil.Process | None:
    """Return the process that was started for a run, or None; the start time detects a reused process id."""
    try:
        saved = json.loads((path / TRAINER).read_text(encoding="utf-8"))
        process = psutil.Process(saved["pid"])
        if process.create_time() == saved["created"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        pass
    return None


def _holder(path: Path) -> psutil.Process | None:
    """Return the process that holds a run, or None; it may have outlived the process that started it."""
    status = read_status(path)
    if status.state != "running" or status.pid is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(status.pid)
        if process.create_time() <= status.updated:
            return process
    return None
