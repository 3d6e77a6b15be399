"""The folder of a run: its files, its status, and the request to stop it.

The trainer holds `run.lock` while it runs, so the lock alone tells whether a run is in progress, even after kill -9.
The trainer writes `status.json`, everyone else only `request.json`, so neither overwrites the other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from training.errors import Message, RunError, Unreadable, message
from training.run.config import StageName
from training.saved import load_saved

Phase = Literal["preparing", "tokenizer", "predictor", "judging", "exporting"]
State = Literal["queued", "running", "paused", "finished", "failed", "interrupted"]
StopRequest = Literal["pause", "keep"]  # stop to resume later; end training and keep the best checkpoint


LOG = "log.jsonl"


class Status(BaseModel):
    """State and progress of a run, as in `status.json`; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True)

    state: State = "queued"
    phase: Phase = "preparing"  # current or last
    step: int = 0  # of the current stage
    steps: int = 0
    loss: float | None = None  # last training loss
    rate: float | None = None  # windows per second
    remaining: float | None = None  # seconds until the stage ends; None while unknown
    pid: int | None = None
    started: float | None = None
    updated: float = 0.0
    stopped: bool = False  # training was ended early, keeping the best checkpoint
    error: Message | None = None
    notes: tuple[Message, ...] = ()  # warnings, and the reason for the learning rate


class RunFolder:
    """The files of a run, and its status."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"  # every setting
        self.provenance = path / "provenance.json"  # digests of code, candles and base model; versions; seed
        self.prepared = path / "prepared"  # the corpus and its tokens
        self.log = path / "run.log"
        self.forecast_scores = path / "forecasts.jsonl"  # of validation cutoffs during training
        self.examples = path / "examples.json"  # a few of the last forecasts, to be drawn
        self.report = path / "report.json"  # the final scores
        self.export = path / "export"  # `model/`, `tokenizer/` and the model card `README.md`
        self._status = path / "status.json"
        self._request = path / "request.json"

    def stage(self, name: StageName) -> Path:
        """Return the folder of a stage: `log.jsonl`, `checkpoints/`, `best/`."""
        return self.path / name

    def stage_log(self, name: StageName) -> Path:
        """Return the log of a stage, a JSON object a line."""
        return self.stage(name) / LOG

    def status(self) -> Status:
        """Return the status; `interrupted` if the trainer died or the file is damaged."""
        status = self._saved_status()
        dead = status.state == "running" and not self.is_running()
        return status.model_copy(update={"state": "interrupted"}) if dead else status

    def is_running(self) -> bool:
        """Return whether a process holds the run."""
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:  # nobody trains in a read-only folder
            return False
        lock.release()
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run during the block; a RunError says that another process does, or that the folder is read-only."""
        lock = self._lock()
        try:
            lock.acquire(timeout=1)  # `is_running` holds it for a moment
        except Timeout as error:
            folder = str(self.path)
            raise RunError(
                "{folder} is being trained by another process: wait for it, or stop it.", folder=folder
            ) from error
        except OSError as error:
            raise RunError(write_error(self.path, error)) from error
        try:
            yield
        finally:
            lock.release()

    def write_status(self, **changes: Any) -> Status:
        """Change fields of the status atomically; only the holder of the run may."""
        status = Status(**(dict(self._saved_status()) | {"updated": time.time(), "pid": os.getpid()} | changes))
        write_json(self._status, status.model_dump(mode="json"))
        return status

    def request_stop(self, request: StopRequest | None) -> None:
        """Ask the trainer to pause, or to end training and keep the best checkpoint; None withdraws the request."""
        write_json(self._request, {"wish": request})

    def stop_request(self) -> StopRequest | None:
        """Return the current request to the trainer."""
        try:
            request = json.loads(self._request.read_text(encoding="utf-8"))["wish"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return request if request in {"pause", "keep"} else None

    def requested_at(self) -> float | None:
        """Return when the current request was made, in seconds since 1970, None if there is no request."""
        try:
            return self._request.stat().st_mtime
        except FileNotFoundError:
            return None

    def _saved_status(self) -> Status:
        if not self._status.exists():
            return Status()
        try:
            return load_saved(Status, self._status)
        except Unreadable as error:
            return Status(state="interrupted", error=error.message)

    def _lock(self) -> FileLock:
        return FileLock(self.path / "run.lock", thread_local=False)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; raises RunError as `write_text` does."""
    write_text(path, json.dumps(value, indent=1))


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: readers see the old or the new text.

    Raises RunError if the folder cannot be written to, or the disk is full.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RunError(write_error(path.parent, error)) from error


def write_error(folder: Path, error: OSError) -> Message:
    """Return the message for a folder that cannot be written to."""
    reason = error.strerror or str(error)
    return message(
        "{folder} cannot be written to ({reason}): free disk space or choose another folder; saved files stay.",
        folder=str(folder), reason=reason,
    )  # fmt: skip
