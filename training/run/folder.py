"""The folder of a run: where everything lies, what its state is, and how another process asks it to stop.

Whoever trains holds `run.lock` while it lives, kill -9 or not: that, and nothing that was written down, says whether a
run is under way. The trainer writes `status.json`, everyone else only `request.json`, so neither overwrites the other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from training.errors import Message, RunError, Unreadable, message
from training.run.config import StageName
from training.saved import load_saved

Phase = Literal["preparing", "tokenizer", "predictor", "judging", "exporting"]
# What the trainer writes; `running` with nobody holding the lock reads as `interrupted`.
State = Literal["queued", "running", "paused", "finished", "failed", "interrupted"]
StopRequest = Literal["pause", "keep"]  # end now and go on later; end training now and keep the best so far


@dataclass(frozen=True)
class Status:
    """Where a run is.

    Attributes
    ----------
    state, phase
        What it does now, or did last.
    step, steps
        Of the present stage.
    loss, rate
        Last training loss; windows a second.
    remaining
        Seconds until the present stage ends, None while that is unknown.
    pid
        Process that trains.
    stopped
        Whether somebody ended the training before its last step and kept what there was.
    error
        `Message.to_dict()` of what made it fail.
    notes
        `Message.to_dict()` of what its reader should know: warnings of the preflight, a learning rate and why.
    """

    state: State = "queued"
    phase: Phase = "preparing"
    step: int = 0
    steps: int = 0
    loss: float | None = None
    rate: float | None = None
    remaining: float | None = None
    pid: int | None = None
    started: float | None = None
    updated: float = 0.0
    stopped: bool = False
    error: dict[str, Any] | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, and its state."""

    path: Path

    @property
    def config(self) -> Path:
        """Return the config, complete: `config.yaml`."""
        return self.path / "config.yaml"

    @property
    def provenance(self) -> Path:
        """Return code version, data digest, base model's digest, seed, command: `provenance.json`."""
        return self.path / "provenance.json"

    @property
    def prepared(self) -> Path:
        """Return the folder of the prepared corpus."""
        return self.path / "prepared"

    @property
    def log(self) -> Path:
        """Return what the trainer printed: `run.log`."""
        return self.path / "run.log"

    @property
    def looks(self) -> Path:
        """Return the scores of forecasts on validation cutoffs, a line a look: `forecasts.jsonl`."""
        return self.path / "forecasts.jsonl"

    @property
    def examples(self) -> Path:
        """Return a few of the last look's forecasts with what came, to be drawn: `examples.json`."""
        return self.path / "examples.json"

    @property
    def report(self) -> Path:
        """Return the final scores beside the base model's and the baselines': `report.json`."""
        return self.path / "report.json"

    @property
    def export(self) -> Path:
        """Return the result: `model/`, `tokenizer/` and `README.md`, the model card."""
        return self.path / "export"

    def stage(self, name: StageName) -> Path:
        """Return the folder of a stage: `log.jsonl`, `checkpoints/`, `best/`."""
        return self.path / name

    def status(self) -> Status:
        """Return the state as it is: `interrupted` where the trainer died or its status cannot be read."""
        saved = self._saved_status()
        return replace(saved, state="interrupted") if saved.state == "running" and not self.alive() else saved

    def alive(self) -> bool:
        """Return whether a process trains here now."""
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:  # a folder that cannot be written to is nobody's place of work
            return False
        lock.release()
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run while working on it.

        Raises
        ------
        RunError
            Another process does, or the folder cannot be written to.
        """
        lock = self._lock()
        try:
            lock.acquire(timeout=1)  # whoever asks `alive` holds it for a moment
        except Timeout as error:
            raise RunError(
                message("{folder} is being trained by another process: wait for it, or stop it.", folder=str(self.path))
            ) from error
        except OSError as error:
            raise RunError(unwritable(self.path, error)) from error
        try:
            yield
        finally:
            lock.release()

    def write_status(self, **changes: Any) -> Status:
        """Change fields of the status, at once or not at all; only whoever holds the run does."""
        status = replace(self._saved_status(), **{"updated": time.time(), "pid": os.getpid(), **changes})
        write_json(self.path / "status.json", asdict(status))
        return status

    def ask(self, wish: StopRequest | None) -> None:
        """Ask the trainer to pause, or to end and keep what there is; None takes it back."""
        write_json(self.path / "request.json", {"wish": wish})

    def asked(self) -> StopRequest | None:
        """Return what the trainer was asked for."""
        try:
            wish = json.loads((self.path / "request.json").read_text(encoding="utf-8"))["wish"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return wish if wish in {"pause", "keep"} else None

    def _saved_status(self) -> Status:
        path = self.path / "status.json"
        if not path.exists():
            return Status()
        try:
            return load_saved(Status, path)
        except Unreadable as error:
            return Status(state="interrupted", error=error.message.to_dict())

    def _lock(self) -> FileLock:
        return FileLock(self.path / "run.lock", thread_local=False)


def write_json(path: Path, value: Any) -> None:
    """Write JSON; errors and promise are those of `write_text`."""
    write_text(path, json.dumps(value, indent=1))


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part.

    Raises
    ------
    RunError
        The folder cannot be written to, or the disk is full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RunError(unwritable(path.parent, error)) from error


def unwritable(folder: Path, error: OSError) -> Message:
    """Return what to say of a folder that took no file."""
    return message(
        "{folder} cannot be written to ({reason}): make room or choose another folder; what was saved stays.",
        folder=str(folder),
        reason=error.strerror or str(error),
    )
