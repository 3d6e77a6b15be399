"""The models: which there are, which are in memory, and one shared copy of each for everyone who forecasts."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import Text, text
from kronos_app.services.engine_errors import engine_errors

if TYPE_CHECKING:
    from engine import KronosPredictor
    from engine.registry import ModelSpec
    from kronos_app.settings import Settings

BYTES_PER_PARAMETER = 4  # float32
COPIES = 2  # of the weights: as they were read, and laid out for generation


@dataclass(frozen=True)
class ModelStatus:
    """A model as the user sees it.

    Attributes
    ----------
    parameters, context
        Size of the predictor, and candles that history and horizon may have together.
    bundled, downloaded, loaded
        Comes with the app; its files are on this machine; it is in memory.
    device, load_seconds
        Where it is and how long that took; None while not loaded.
    memory_bytes
        What the weights take, an estimate while not loaded.
    """

    name: str
    description: Text
    parameters: int
    context: int
    tokenizer: str
    licence: str
    bundled: bool
    downloaded: bool
    loaded: bool
    device: str | None
    load_seconds: float | None
    memory_bytes: int


@dataclass(frozen=True)
class _Loaded:
    predictor: KronosPredictor
    seconds: float
    memory: int


Statuses = list[ModelStatus]


class ModelService:
    """Keeps the most recently used models in memory; every thread may use it.

    Parameters
    ----------
    settings
        `max_loaded_models`, `threads`, and the home folder: files in its `models/NAME/model` and
        `models/NAME/tokenizer` take the place of the Hub's.
    registry
        The models there are; default those of the engine. `model_id` and `tokenizer_id` may be local folders.
    """

    def __init__(self, settings: Settings, registry: Mapping[str, ModelSpec] | None = None) -> None:
        self._settings = settings
        self._given = registry
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._lock = RLock()
        self._loading: defaultdict[str, Lock] = defaultdict(Lock)

    def list(self) -> Statuses:
        """Return every model of the registry with its state."""
        return [self.status(name) for name in self._registry()]

    def status(self, name: str) -> ModelStatus:
        """Return the state of one model.

        Raises
        ------
        NotFound
            No such model.
        """
        from engine.hub import is_downloaded

        spec = self._spec(name)
        with self._lock:
            loaded = self._loaded.get(name)
        return ModelStatus(
            name=name,
            description=text(spec.description),
            parameters=spec.parameters,
            context=spec.max_context,
            tokenizer=_shown(spec.tokenizer_id),
            licence=spec.licence,
            bundled=spec.bundled,
            downloaded=is_downloaded(replace(spec, bundled=True) if Path(spec.model_id).is_dir() else spec),
            loaded=loaded is not None,
            device=str(loaded.predictor.device) if loaded else None,
            load_seconds=loaded.seconds if loaded else None,
            memory_bytes=loaded.memory if loaded else COPIES * spec.parameters * BYTES_PER_PARAMETER,
        )

    def bundled_present(self) -> bool:
        """Return whether a model that needs no network is on this machine."""
        return any(status.bundled and status.downloaded for status in self.list())

    def context(self, name: str) -> int:
        """Return how many candles, history and horizon together, a model can hold; loads nothing."""
        return self._spec(name).max_context

    def get(self, name: str) -> KronosPredictor:
        """Return the shared predictor, loading it first where needed.

        Raises
        ------
        NotFound, Unavailable
            No such model; its files cannot be had or used.
        """
        return self._get(name, None).predictor

    def load(self, name: str, device: str | None = None) -> ModelStatus:
        """Load a model, onto `device` where one is named, and return its state."""
        if device is not None and device not in self.devices():
            raise InvalidInput(
                "unknown_device",
                text("device: this machine has no {device}.", device=device),
                text("Choose one of: {devices}.", devices=", ".join(self.devices())),
            )
        self._get(name, device)
        return self.status(name)

    def unload(self, name: str) -> None:
        """Let go of a model; a forecast that is running keeps it until it is done."""
        with self._lock:
            self._loaded.pop(name, None)

    def devices(self) -> tuple[str, ...]:
        """Return the devices of this machine, the fastest first."""
        import torch

        cards = torch.cuda.device_count()
        found = ["cuda"] if cards == 1 else [f"cuda:{index}" for index in range(cards)]
        if torch.backends.mps.is_available():
            found.append("mps")
        return (*found, "cpu")

    def _get(self, name: str, device: str | None) -> _Loaded:
        spec = self._spec(name)
        with self._loading_lock(name):
            with self._lock:
                loaded = self._loaded.get(name)
                if loaded is not None and device in {None, str(loaded.predictor.device)}:
                    self._loaded.move_to_end(name)
                    return loaded
            loaded = self._read(spec, device)
            with self._lock:
                self._loaded[name] = loaded
                self._loaded.move_to_end(name)
                while len(self._loaded) > self._settings.max_loaded_models:
                    self._loaded.popitem(last=False)
            return loaded

    def _loading_lock(self, name: str) -> Lock:
        with self._lock:
            return self._loading[name]

    def _read(self, spec: ModelSpec, device: str | None) -> _Loaded:
        import torch

        from engine import KronosPredictor

        if self._settings.threads is not None:
            torch.set_num_threads(self._settings.threads)
        started = time.monotonic()
        with engine_errors(spec.name):
            predictor = KronosPredictor.from_pretrained(
                spec.model_id,
                tokenizer=spec.tokenizer_id,
                revision=spec.revision,
                device=device,
                max_context=spec.max_context,
            )
            predictor.packed()  # here, since all forecasts would wait while the scheduler does it
        modules = (predictor.model, predictor.tokenizer)
        tensors = [t for module in modules for t in (*module.parameters(), *module.buffers())]
        memory = COPIES * sum(t.numel() * t.element_size() for t in tensors)
        return _Loaded(predictor, time.monotonic() - started, memory)

    def _spec(self, name: str) -> ModelSpec:
        registry = self._registry()
        if name not in registry:
            raise NotFound(
                "unknown_model",
                text("model: there is no model {name}.", name=name),
                text("Choose one of: {names}.", names=", ".join(registry)),
            )
        spec = registry[name]
        folder = self._settings.home / "models" / name  # `name` is a key of the registry, not what a user typed
        if not ((folder / "model").is_dir() and (folder / "tokenizer").is_dir()):
            return spec
        return replace(spec, model_id=str(folder / "model"), tokenizer_id=str(folder / "tokenizer"))

    def _registry(self) -> Mapping[str, ModelSpec]:
        from engine.registry import REGISTRY

        return REGISTRY if self._given is None else self._given


def _shown(source: str) -> str:
    """Return a Hub id as it is, and of a local folder its end alone: where the app is installed is not told."""
    return "/".join(Path(source).parts[-2:])
