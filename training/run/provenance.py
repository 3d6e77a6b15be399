"""The provenance of a run besides its config: code, libraries, data and base model."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.fit.building import Base
from training.fit.corpus import Corpus
from training.run.config import RunConfig

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("torch", "numpy", "pandas", "peft", "safetensors")


def provenance(config: RunConfig, corpus: Corpus, base: Base) -> dict[str, Any]:
    """Return what must be equal for equal losses, JSON-ready."""
    return {
        "code": code_digest(),
        "packages": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "data": corpus.digest,
        "base": {"name": base.name, "digest": base.digest},
        "seed": config.seed,
    }


def code_digest() -> str:
    """Return the SHA-256, in hex, of the sources of `engine` and `training`."""
    sha = hashlib.sha256()
    for folder in ("engine", "training"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            sha.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()
