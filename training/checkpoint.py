"""Checkpoints from which a run goes on exactly where it stopped. Safetensors and JSON, never pickle."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim

STATE = "state.safetensors"


def save_state(folder: Path, module: nn.Module, optimizer: optim.Optimizer, progress: dict[str, Any]) -> None:
    """Write weights, optimizer moments, random state and `progress` (JSON) to one file, at once or not at all."""
    tensors = {f"model.{name}": t.contiguous() for name, t in module.state_dict().items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": t for name, t in moments.items()}
    tensors["rng"] = torch.get_rng_state()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{STATE}.partial"
    save_file(tensors, partial, metadata={"progress": json.dumps(progress)})
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.replace(folder / STATE)


def load_state(folder: Path, module: nn.Module, optimizer: optim.Optimizer) -> dict[str, Any] | None:
    """Restore what `save_state` wrote; return its progress, or None where there is no checkpoint yet."""
    from safetensors import safe_open

    path = folder / STATE
    if not path.exists():
        return None
    tensors = load_file(path)
    with safe_open(path, "pt") as header:
        progress: dict[str, Any] = json.loads(header.metadata()["progress"])
    module.load_state_dict({name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, field = name.split(".")
            moments.setdefault(int(index), {})[field] = tensor
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["rng"])
    return progress
