"""Checkpoints to resume from: safetensors and JSON, never pickle.

`checkpoints/step-00000100/` holds `state.safetensors` (tensors) and `state.json` (progress and a checksum of both). A
folder gets its name once it is completely on disk. The last two are kept: if one is damaged, the other is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.errors import Message, RunError, message
from training.run.folder import write_error

TENSORS, HEADER = "state.safetensors", "state.json"
KEPT = 2
NAME = "step-{step:08d}"


@dataclass(frozen=True)
class State:
    """The contents of a checkpoint."""

    step: int  # completed steps
    tensors: Mapping[str, Tensor]  # weights and moments by name, on the CPU
    progress: Mapping[str, Any]  # JSON-ready: all else that the next step depends on


def save_state(folder: Path, state: State) -> Path:
    """Write a checkpoint below `folder` atomically, and remove all but it and the one before.

    Raises RunError if the disk is full or the folder cannot be written to; earlier checkpoints stay valid.
    """
    target = folder / NAME.format(step=state.step)
    draft = folder / f".{target.name}.{os.getpid()}"
    try:
        with explain_write_errors(folder):
            draft.mkdir(parents=True, exist_ok=True)
            save_file({name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}, draft / TENSORS)
            progress = json.dumps(dict(state.progress))
            header = {"sha256": _checksum(draft / TENSORS, progress), "progress": progress}
            (draft / HEADER).write_text(json.dumps(header), encoding="utf-8")
            for path in (draft / TENSORS, draft / HEADER, draft):
                _sync(path)
            if target.exists():  # damaged, or of steps that are repeated
                shutil.rmtree(target)
            draft.replace(target)
            _sync(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _prune(folder, state.step)
    return target


def load_state(folder: Path) -> tuple[State | None, list[Message]]:
    """Return the newest valid checkpoint below `folder`, or None, and a note for each damaged one.

    Raises RunError if all checkpoints are damaged: a person decides whether to start again.
    """
    notes: list[Message] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        state = _read(path)
        if state is not None:
            return state, notes
        notes.append(message("Checkpoint {name} is damaged: training resumes from the one before.", name=path.name))
    if notes:
        raise RunError("All checkpoints in {folder} are damaged: start a new run.", folder=str(folder))
    return None, notes


@contextmanager
def explain_write_errors(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk or a read-only folder into a RunError."""
    try:
        yield
    except SafetensorError as error:  # has no error number for a full disk
        raise RunError(write_error(folder, OSError(str(error)))) from error
    except OSError as error:
        raise RunError(write_error(folder, error)) from error


def _read(path: Path) -> State | None:
    """Return the checkpoint in `path`, None if it is damaged."""
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
        progress = header["progress"]
        if header["sha256"] != _checksum(path / TENSORS, progress):
            return None
        return State(int(path.name.rpartition("-")[2]), load_file(path / TENSORS), json.loads(progress))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _checksum(tensors: Path, progress: str) -> str:
    with tensors.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256")
    sha.update(progress.encode())
    return sha.hexdigest()


def _sync(path: Path) -> None:
    """Wait until `path` is on disk."""
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prune(folder: Path, step: int) -> None:
    """Keep the checkpoint of `step` and the one before; later ones are damaged, drafts are from dead processes."""
    names = sorted(path.name for path in folder.glob("step-*") if path.name <= NAME.format(step=step))
    for path in folder.iterdir():
        if path.name not in names[-KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
