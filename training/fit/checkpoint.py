"""Checkpoints from which a run goes on exactly where it stopped. Safetensors and JSON, never pickle.

`checkpoints/step-00000100/` holds `state.safetensors` (tensors) and `state.json` (progress and a checksum of both). A
folder gets its name only once all of it is on the disk. The last two are kept: where one is damaged, the one before
serves.
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
from training.run.folder import unwritable

TENSORS, HEADER = "state.safetensors", "state.json"
KEPT = 2
NAME = "step-{step:08d}"


@dataclass(frozen=True)
class State:
    """What a checkpoint holds.

    Attributes
    ----------
    step
        Steps that were done.
    tensors
        Weights and moments by name, on the CPU.
    progress
        JSON-ready: all else that the next step depends on.
    """

    step: int
    tensors: Mapping[str, Tensor]
    progress: Mapping[str, Any]


def save_state(folder: Path, state: State) -> Path:
    """Write a checkpoint below `folder`, at once or not at all, and remove all but it and the one before.

    Raises
    ------
    RunError
        The disk is full or the folder cannot be written to; earlier checkpoints are whole.
    """
    target = folder / NAME.format(step=state.step)
    draft = folder / f".{target.name}.{os.getpid()}"
    try:
        with writing(folder):
            draft.mkdir(parents=True, exist_ok=True)
            save_file({name: t.detach().cpu().contiguous() for name, t in state.tensors.items()}, draft / TENSORS)
            progress = json.dumps(dict(state.progress))
            header = {"sha256": _checksum(draft / TENSORS, progress), "progress": progress}
            (draft / HEADER).write_text(json.dumps(header), encoding="utf-8")
            for path in (draft / TENSORS, draft / HEADER, draft):
                _settle(path)
            if target.exists():  # damaged, or of steps that are being done again
                shutil.rmtree(target)
            draft.replace(target)
            _settle(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _prune(folder, state.step)
    return target


def load_state(folder: Path) -> tuple[State | None, list[Message]]:
    """Return the newest whole checkpoint below `folder`, or None where there is none, and what to say of damaged ones.

    Raises
    ------
    RunError
        There are checkpoints and none is whole: training again from the start is for a person to decide.
    """
    notes: list[Message] = []
    for path in sorted(folder.glob("step-*"), reverse=True):
        state = _read(path)
        if state is not None:
            return state, notes
        notes.append(message("Checkpoint {name} is damaged: training goes on from the one before.", name=path.name))
    if notes:
        raise RunError(
            message("No checkpoint in {folder} is whole: start the run again under another name.", folder=str(folder))
        )
    return None, notes


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what a full disk or a protected folder raises into a RunError."""
    try:
        yield
    except SafetensorError as error:  # it has no number of its own for a full disk
        raise RunError(unwritable(folder, OSError(str(error)))) from error
    except OSError as error:
        raise RunError(unwritable(folder, error)) from error


def _read(path: Path) -> State | None:
    """Return the checkpoint in `path`, or None where it is not what was written."""
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


def _settle(path: Path) -> None:
    """Wait until `path` is on the disk."""
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _prune(folder: Path, step: int) -> None:
    """Keep the checkpoint of `step` and the one before; later ones are damaged, drafts are from processes that died."""
    names = sorted(path.name for path in folder.glob("step-*") if path.name <= NAME.format(step=step))
    for path in folder.iterdir():
        if path.name not in names[-KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
