"""Checkpoints on disk: a folder of `config.json` and `model.safetensors`, as `PyTorchModelHubMixin` lays them out.

Reading is strict: what does not fit is an error that names the file and the key or tensor. Pickled weights are never
read.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import typing
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from engine.config import MISREAD, UNPUBLISHED
from engine.errors import CheckpointError
from engine.files import CONFIG, WEIGHTS, CheckpointFiles

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MAX_CONFIG_BYTES = 1_000_000
MAX_SIZE = 65_536  # of any width or count in a config: a hostile one must not exhaust the memory
NAMED = 5  # tensors an error lists before it only counts
NOTE = "note"  # the key of a sentence for people
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
        The config is no JSON object, or the weights are no whole safetensors file.
    """
    return _read_config(files.config), _read_tensors(files.weights)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{path} is larger than {MAX_CONFIG_BYTES:,} bytes: no checkpoint config is.")
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # JSON and UTF-8 errors alike
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds a {type(config).__name__}, not an object of settings.")
    return config


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({path.stat().st_size:,} bytes; {error}). It may have been cut off"
            " while it was copied: fetch it again."
        ) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    return tensors


def check_config(build: Callable[..., Any], config: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
    """Return the entries of `config` that `build` takes; each parameter must be there, with a value of its type.

    Keys may come in any order. Keys in `ANNOTATIONS` are left out; any other unknown key is an error, for it may ask
    for a network that `build` does not make.
    """
    hints = typing.get_type_hints(build)
    expected = [name for name in inspect.signature(build).parameters if name != "self"]
    required = [name for name in expected if name not in UNPUBLISHED]
    unknown = [name for name in config if name not in expected and name not in ANNOTATIONS]
    missing = [name for name in required if name not in config]
    if missing or unknown:
        faults = [
            f"{kind} {', '.join(names[:NAMED])}"
            for kind, names in (("lacks", missing), ("has unknown", unknown))
            if names
        ]
        raise CheckpointError(f"{origin} {' and '.join(faults)}. It must hold exactly: {', '.join(required)}.")
    given = [name for name in expected if name in config]
    for name in given:
        if not _is_a(config[name], hints[name]):
            raise CheckpointError(f"{origin}: {name} is {config[name]!r}, but must be of type {hints[name].__name__}.")
        if abs(config[name]) > MAX_SIZE:
            raise CheckpointError(f"{origin}: {name} is {config[name]!r}, but must not exceed {MAX_SIZE:,}.")
    return {name: config[name] for name in given}


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
        The file, as an error names it.

    Raises
    ------
    CheckpointError
        A tensor is missing, unexpected, of another shape or kind, or not finite. Nothing has been copied then.
    """
    wanted = module.state_dict()
    faults = [*_name_faults(wanted, tensors), *_tensor_faults(wanted, tensors)]
    if faults:
        raise CheckpointError(f"{origin} does not fit {type(module).__name__}: {'; '.join(faults)}.")
    if any(tensor.is_meta for tensor in wanted.values()):
        module.to_empty(device="cpu")
    module.load_state_dict(dict(tensors))


def _name_faults(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    for kind, names in (("missing", wanted.keys() - given.keys()), ("unexpected", given.keys() - wanted.keys())):
        if names:
            yield _count(kind, sorted(names))


def _tensor_faults(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Iterator[str]:
    pairs = {name: (given[name], wanted[name]) for name in wanted if name in given}
    misshapen = [
        f"{n} is {tuple(g.shape)} instead of {tuple(w.shape)}" for n, (g, w) in pairs.items() if g.shape != w.shape
    ]
    if misshapen:
        yield _count("misshapen", misshapen)
    of_other_kind = [f"{n} is {_dtype(g)} instead of {_dtype(w)}" for n, (g, w) in pairs.items() if not _castable(g, w)]
    if of_other_kind:
        yield _count("of another kind", of_other_kind)
    not_finite = [n for n, (g, _) in pairs.items() if g.is_floating_point() and not g.isfinite().all()]
    if not_finite:
        yield _count("holding NaN or infinity", not_finite)


def _castable(given: Tensor, wanted: Tensor) -> bool:
    return given.dtype == wanted.dtype or (given.is_floating_point() and wanted.is_floating_point())


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _count(kind: str, names: Collection[str]) -> str:
    listed = ", ".join(list(names)[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {'tensor' if len(names) == 1 else 'tensors'} {kind} ({listed}{more})"


def save_checkpoint(folder: str | Path, config: Mapping[str, Any] | DataclassInstance, module: nn.Module) -> None:
    """Write `config` and the tensors of `module` to `folder`; a reader sees each file whole or not at all.

    A config with a field that the published package does not know also gets a note that says so.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = dict(config) if isinstance(config, Mapping) else asdict(config)
    values = {name: value for name, value in values.items() if value or name not in UNPUBLISHED}
    if UNPUBLISHED & values.keys():
        values[NOTE] = MISREAD
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
    with _replacing(folder / WEIGHTS) as path:
        save_file(tensors, path, metadata={"format": "pt"})
    with _replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(values, sort_keys=True, indent=2), encoding="utf-8")


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        draft.touch()
        mode = draft.stat().st_mode
        yield draft
        draft.chmod(mode)  # safetensors lets nobody but the owner read; the user's umask decides
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def digest(*modules: nn.Module) -> str:
    """Return the SHA-256, in hex, of what `modules` compute with: configs and tensors (name, type, shape, values).

    It does not depend on the file, the folder or the device the weights lie in.
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
