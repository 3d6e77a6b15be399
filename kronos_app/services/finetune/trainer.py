"""Trainers: processes of their own, which go on when the tab closes and when the server does."""

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

from kronos_app.errors import Unavailable
from kronos_app.i18n import text
from kronos_app.services.core.redaction import ROOT
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.finetune.runs import status_in

if TYPE_CHECKING:
    from kronos_app.services.finetune.runs import Run
    from kronos_app.settings import Settings

log = logging.getLogger(__name__)

TRAINER = "trainer.json"
NICENESS = 10
SECONDS_TO_DIE = 10.0
LOOK_SECONDS = 1.0


class Trainers:
    """Starts and ends trainers, and tells which are alive; every thread may use it.

    Parameters
    ----------
    settings
        What trainers are held to.
    on_end
        Called, from a thread of its own, when a trainer that was started here has ended.
    """

    def __init__(self, settings: Settings, on_end: Callable[[], object]) -> None:
        self._settings = settings
        self._on_end = on_end
        self._lock = Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, run: Run) -> None:
        """Have a process train, or go on training.

        Raises
        ------
        Unavailable
            The process could not be started.
        """
        from training.run.folder import write_json

        command = [sys.executable, "-m", "training", "resume", str(run.path)]
        try:
            with run.folder.log.open("ab") as output:
                child = subprocess.Popen(  # noqa: S603 - only the folder varies, and its name is ours
                    command,
                    cwd=ROOT,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unavailable(
                "trainer_not_started",
                text("The trainer could not be started: {reason}.", reason=error.strerror or str(error)),
                text("Check the free space and the memory of this machine, then resume the run."),
            ) from error
        with suppress(psutil.Error, OSError), training_errors():
            process = psutil.Process(child.pid)
            process.nice(max(NICENESS, process.nice()))  # pages and forecasts come first
            write_json(run.path / TRAINER, {"pid": child.pid, "created": process.create_time()})
        with self._lock:
            self._children[run.id] = child
        Thread(target=self._watch, args=(run, child), name=f"kronos-run-{run.id}", daemon=True).start()

    def _environment(self) -> dict[str, str]:
        """Return the environment of a trainer: a user of the desk chose its config, the administrator its limits."""
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

    def alive(self, run: Run) -> bool:
        """Return whether somebody trains a run, or has just been started to."""
        with self._lock:
            child = self._children.get(run.id)
        if child is not None and child.poll() is None:
            return True
        return _process(run.path) is not None or run.status().state == "running"

    def kill(self, path: Path) -> None:
        """End whoever trains the run in a folder, at once, with all it has started."""
        processes: list[psutil.Process] = []
        for root in (_process(path), _holder(path)):
            if root is not None:
                with suppress(psutil.Error):
                    processes += [*root.children(recursive=True), root]
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=SECONDS_TO_DIE)

    def _watch(self, run: Run, child: subprocess.Popen[bytes]) -> None:
        limit = self._memory_limit()
        while True:
            with suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_SECONDS)
                break
            if _memory(child.pid) > limit:  # where the system does not hold it to its limit
                log.warning("The trainer of run %s takes more than %d MB and is ended", run.id, limit // 1_000_000)
                self.kill(run.path)
                _tell_memory(run, limit)
        with self._lock:
            if self._children.get(run.id) is child:
                del self._children[run.id]
        try:
            self._on_end()
        except Exception:  # Whatever it was, whoever keeps time will try again.
            log.exception("The next run could not be started")


def _memory(pid: int) -> int:
    """Return the bytes that a process and those it started have in memory."""
    taken = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                taken += process.memory_info().rss
    return taken


def _tell_memory(run: Run, limit: int) -> None:
    """Note in the run why its trainer was ended."""
    from training.errors import message

    error = message(
        "The run used more than its limit of {limit} GB of memory and was ended: choose a smaller "
        "batch, a shorter window or a smaller model.",
        limit=f"{limit / 1e9:.1f}",
    )
    with suppress(OSError), training_errors():
        run.folder.write_status(state="failed", error=error)


def _process(path: Path) -> psutil.Process | None:
    """Return the process that was started for a run, None where it is gone: a number alone may be another's by now."""
    try:
        kept = json.loads((path / TRAINER).read_text(encoding="utf-8"))
        process = psutil.Process(kept["pid"])
        if process.create_time() == kept["created"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        pass
    return None


def _holder(path: Path) -> psutil.Process | None:
    """Return the process that holds a run, None where nobody does: it may have lost whoever started it."""
    status = status_in(path)
    if status.state != "running" or status.pid is None:
        return None
    with suppress(psutil.Error):
        process = psutil.Process(status.pid)
        if process.create_time() <= status.updated:
            return process
    return None
