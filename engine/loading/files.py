"""The two files of a checkpoint; their content is read in `checkpoint.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CheckpointError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
MAX_LISTED = 5  # files in an error


@dataclass(frozen=True)
class CheckpointFiles:
    """The two files of a checkpoint, not necessarily in one folder."""

    config: Path
    weights: Path


def find_files(folder: Path) -> CheckpointFiles:
    """Return the files of the checkpoint in `folder`.

    Raises
    ------
    CheckpointError
        A file is missing, or the weights are pickled.
    """
    files = CheckpointFiles(folder / CONFIG, folder / WEIGHTS)
    if not files.weights.is_file():
        pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
        if pickled:
            raise CheckpointError(
                f"{folder} holds pickled weights only ({', '.join(pickled[:MAX_LISTED])}). Unpickling runs any code in "
                f"the file, so only {WEIGHTS} is read: if you trust the file, convert it."
            )
    for path in (files.weights, files.config):
        if not path.is_file():
            raise CheckpointError(
                f"{folder} holds no {path.name}. A checkpoint is a folder with {CONFIG} and {WEIGHTS}."
            )
    return files
