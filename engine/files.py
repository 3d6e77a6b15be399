"""The files a checkpoint is made of; knows nothing of what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import CheckpointError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
NAMED = 5  # files an error lists


@dataclass(frozen=True)
class CheckpointFiles:
    """The two files of a checkpoint; they need not lie in one folder."""

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
                f"{folder} holds pickled weights only ({', '.join(pickled[:NAMED])}). Unpickling runs whatever code the"
                f" file carries, so only {WEIGHTS} is read: convert the weights where you trust them."
            )
        raise CheckpointError(f"{folder} holds no {WEIGHTS}. A checkpoint is a folder with {CONFIG} and {WEIGHTS}.")
    if not files.config.is_file():
        raise CheckpointError(f"{folder} holds no {CONFIG}. A checkpoint is a folder with {CONFIG} and {WEIGHTS}.")
    return files
