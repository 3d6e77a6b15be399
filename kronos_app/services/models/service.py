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
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.models.registered_specs import description

if TYPE_CHECKING:
    from engine import KronosPredictor
    from engine.registry import ModelSpec
    from kronos_app.services.models.registered_specs import RegisteredSpecs
    from kronos_app.settings import Settings
    from kronos_app.store.registry import RegisteredModel

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
    registered
        Of a model made here: the version, as `name@version`, that its name stands for now.
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
    registered: str | None = None


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
    registered
        The models made here; default none.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, ModelSpec] | None = None,
        registered: RegisteredSpecs | None = None,
    ) -> None:
        self._settings = settings
        self._given = registry
        self._registered = registered
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._lock = RLock()
        self._loading: defaultdict[str, Lock] = defaultdict(Lock)

    def list(self) -> Statuses:
        """Return every model that is on offer with its state: those of the registry, then those made here."""
        listed = {} if self._registered is None else self._registered.listed()
        built_in = [self._status(name, self._spec_of(name), None) for name in self.built_in()]
        return built_in + [self._status(name, self.spec(model.label), model) for name, model in listed.items()]

    def status(self, name: str) -> ModelStatus:
        """Return the state of one model.

        Raises
        ------
        NotFound
            No such model.
        """
        model = None if self._registered is None or name in self.built_in() else self._registered.find(name)
        return self._status(name, self.spec(name), model)

    def _status(self, name: str, spec: ModelSpec, model: RegisteredModel | None) -> ModelStatus:
        from engine.hub import is_downloaded

        with self._lock:
            loaded = self._loaded.get(spec.name)
        local = model is not None or Path(spec.model_id).is_dir()
        return ModelStatus(
            name=name,
            description=text(spec.description) if model is None else description(model),
            parameters=spec.parameters,
            context=spec.max_context,
            tokenizer=_shown(spec.tokenizer_id) if model is None else model.label,
            licence=spec.licence,
            bundled=spec.bundled,
            downloaded=is_downloaded(replace(spec, bundled=True) if local else spec),
            loaded=loaded is not None,
            device=str(loaded.predictor.device) if loaded else None,
            load_seconds=loaded.seconds if loaded else None,
            memory_bytes=loaded.memory if loaded else COPIES * spec.parameters * BYTES_PER_PARAMETER,
            registered=None if model is None else model.label,
        )

    def built_in(self) -> Mapping[str, ModelSpec]:
        """Return the models that were not made here, by name."""
        from engine.registry import REGISTRY

        return REGISTRY if self._given is None else self._given

    def bundled_present(self) -> bool:
        """Return whether a model that needs no network is on this machine."""
        from engine.hub import is_downloaded

        return any(spec.bundled and is_downloaded(spec) for spec in self.built_in().values())

    def context(self, name: str) -> int:
        """Return how many candles, history and horizon together, a model can hold; loads nothing."""
        return self.spec(name).max_context

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
            self._loaded.pop(self.spec(name).name, None)

    def devices(self) -> tuple[str, ...]:
        """Return the devices of this machine, the fastest first."""
        from engine.device import available_devices

        return available_devices()

    def _get(self, name: str, device: str | None) -> _Loaded:
        spec = self.spec(name)
        name = spec.name  # a name alone may stand for another version tomorrow
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

    def spec(self, name: str) -> ModelSpec:
        """Return where a model is and what is known of it; its name there is that of exactly one version.

        Raises
        ------
        NotFound
            No such model.
        """
        if name in self.built_in():
            return self._spec_of(name)
        model = None if self._registered is None else self._registered.find(name)
        if self._registered is None or model is None:
            listed = [] if self._registered is None else list(self._registered.listed())
            raise NotFound(
                "unknown_model",
                text("model: there is no model {name}.", name=name),
                text("Choose one of: {names}.", names=", ".join([*self.built_in(), *listed])),
            )
        return self._registered.spec(model)

    def _spec_of(self, name: str) -> ModelSpec:
        spec = replace(self.built_in()[name], name=name)
        folder = self._settings.home / "models" / name  # `name` is a key of the registry, not what a user typed
        if not ((folder / "model").is_dir() and (folder / "tokenizer").is_dir()):
            return spec
        return replace(spec, model_id=str(folder / "model"), tokenizer_id=str(folder / "tokenizer"))


def _shown(source: str) -> str:
    """Return a Hub id as it is, and of a local folder its end alone: where the app is installed is not told."""
    return "/".join(Path(source).parts[-2:])
