"""Checkpoints on disk: `config.json` and `model.safetensors`, in the format of `PyTorchModelHubMixin`.

Reading is strict: a mismatch is an error that names the file and the key or tensor. Pickled weights are never read.
"""

from __future__ import annotations

import hashlib
import json
import math
import typing
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.config import UNPUBLISHED, UNPUBLISHED_NOTE
from engine.errors import CheckpointError
from engine.loading.files import CONFIG, WEIGHTS, CheckpointFiles

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_CONFIG_BYTES = 1_000_000
MAX_SIZE = 65_536  # of any width or count in a config: a hostile one must not exhaust the memory
MAX_LISTED = 5  # names in an error
NOTE = "note"  # the key of a sentence for readers
# Keys of a config.json that do not change what the network computes: ours, and those of other libraries.
ANNOTATIONS = frozenset(
    {
        NOTE,
        "_name_or_path",
        "architectures",
        "auto_map",
        "dtype",
        "library_name",
        "model_type",
        "torch_dtype",
        "transformers_version",
    }
)


def read_checkpoint(files: CheckpointFiles) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the config and the tensors, on the CPU, of a checkpoint.

    Raises
    ------
    CheckpointError
        The config is not a JSON object, or the weights are not a complete safetensors file.
    """
    return _read_config(files.config), _read_tensors(files.weights)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{path} is larger than {MAX_CONFIG_BYTES:,} bytes, more than any checkpoint config.")
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:  # both JSON and UTF-8 errors
        raise CheckpointError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds a {type(config).__name__}, not an object of settings.")
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a complete safetensors file ({path.stat().st_size:,} bytes; {error}). It may have been "
            "truncated by an interrupted copy: download it again."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    return tensors


def check_config(kind: type[DataclassInstance], config: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """Return the entries of `config` that are fields of `kind`; all must be present, with values of their type.

    Keys in `ANNOTATIONS` are left out; any other unknown key is an error, since it may describe another network.
    """
    types = typing.get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    required = [name for name in names if name not in UNPUBLISHED]
    missing = [name for name in required if name not in config]
    unknown = [name for name in config if name not in names and name not in ANNOTATIONS]
    problems = [f"lacks {_list(missing)}"] * bool(missing) + [f"has unknown {_list(unknown)}"] * bool(unknown)
    if problems:
        raise CheckpointError(f"{origin} {' and '.join(problems)}. It must hold exactly: {', '.join(required)}.")
    values = {name: config[name] for name in names if name in config}
    for name, value in values.items():
        if not _is_a(value, types[name]):
            raise CheckpointError(f"{origin}: {name} is {value!r}, but must be of type {types[name].__name__}.")
        if abs(value) > MAX_SIZE:
            raise CheckpointError(f"{origin}: {name} is {value!r}, but must not exceed {MAX_SIZE:,}.")
    return values


def _is_a(value: object, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def load_strict(module: nn.Module, tensors: Mapping[str, Tensor], *, origin: str) -> None:
    """Copy `tensors` into `module`; floating weights are cast to the module's precision, integers must match exactly.

    A module built on the meta device gets memory on the CPU once everything fits.

    Parameters
    ----------
    origin
        The file's name in errors.

    Raises
    ------
    CheckpointError
        A tensor is missing, unexpected, of another shape or kind, or not finite; nothing has been copied.
    """
    expected = module.state_dict()
    problems = [
        f"{len(names)} {'tensor' if len(names) == 1 else 'tensors'} {kind} ({_list(names)})"
        for kind, names in _compare_tensors(expected, tensors).items()
        if names
    ]
    if problems:
        raise CheckpointError(f"{origin} does not fit {type(module).__name__}: {'; '.join(problems)}.")
    if any(tensor.is_meta for tensor in expected.values()):
        module.to_empty(device="cpu")
    module.load_state_dict(dict(tensors))


def _compare_tensors(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Return the tensors with each kind of problem."""
    pairs = {name: (tensors[name], tensor) for name, tensor in expected.items() if name in tensors}
    return {
        "missing": sorted(expected.keys() - tensors.keys()),
        "unexpected": sorted(tensors.keys() - expected.keys()),
        "misshapen": [
            f"{n} is {tuple(g.shape)} instead of {tuple(e.shape)}" for n, (g, e) in pairs.items() if g.shape != e.shape
        ],
        "of another kind": [
            f"{n} is {_dtype(g)} instead of {_dtype(e)}"
            for n, (g, e) in pairs.items()
            if g.dtype != e.dtype and not (g.is_floating_point() and e.is_floating_point())
        ],
        "holding NaN or infinity": [
            n for n, (g, _) in pairs.items() if g.is_floating_point() and not g.isfinite().all()
        ],
    }


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more


def save_checkpoint(folder: str | Path, config: Mapping[str, Any] | DataclassInstance, module: nn.Module) -> None:
    """Write `config` and the tensors of `module` to `folder`, each file atomically.

    A config with a field that the published package does not know also gets a note about it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = dict(config) if isinstance(config, Mapping) else asdict(config)
    values = {name: value for name, value in values.items() if value or name not in UNPUBLISHED}
    if UNPUBLISHED & values.keys():
        values[NOTE] = UNPUBLISHED_NOTE
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with _replace_file(folder / WEIGHTS) as path:
        save_file(tensors, path, metadata={"format": "pt"})
    with _replace_file(folder / CONFIG) as path:
        path.write_text(json.dumps(values, sort_keys=True, indent=2), encoding="utf-8")


@contextmanager
def _replace_file(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.touch()
        mode = draft.stat().st_mode
        yield draft
        draft.chmod(mode)  # as the umask says; safetensors makes it readable by the owner only
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def digest(*modules: nn.Module) -> str:
    """Return the SHA-256, in hex, of the configs and tensors (name, type, shape, values) of `modules`.

    It does not depend on the file, the folder or the device of the weights.
    """
    sha = hashlib.sha256()
    for module in modules:
        config = getattr(module, "config", None)
        if config is not None:
            sha.update(json.dumps(asdict(config), sort_keys=True).encode())
        for name, tensor in sorted(module.state_dict().items()):
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            sha.update(memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
    return sha.hexdigest()
