"""The models on offer, and one shared copy of each loaded model for all forecasts."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING

from pydantic import Field

from kronos_app.errors import InvalidInput, require
from kronos_app.i18n import Text, text
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.view import Message, View
from kronos_app.services.models.names import find_version, list_offered
from kronos_app.services.models.precision import BYTES, IN_USE, PrecisionFacts, describe_precisions

if TYPE_CHECKING:
    from engine import KronosPredictor
    from engine.loading.registry import ModelSpec
    from kronos_app.settings import Settings
    from kronos_app.store.registry import RegisteredModel

COPIES = 2  # of the weights: as read, and packed for generation
LICENCE = "MIT"  # of all models that training can start from


class ModelStatus(View):
    """A model and its state."""

    name: str
    description: Message
    parameters: int
    context: int = Field(description="Candles that lookback and horizon may have together.")
    tokenizer: str
    licence: str
    bundled: bool
    downloaded: bool
    loaded: bool
    device: str | None
    load_seconds: float | None
    memory_bytes: int = Field(description="Memory of the weights; an estimate while the model is not loaded.")
    precisions: list[PrecisionFacts] = Field(description="Memory and measured cost of each precision of the weights.")
    revision: str | None = Field(description="Pinned commit on the Hub.")
    trained_until: dict[str, date] = Field(
        description="Last day of the training and validation candles by market, empty for all others."
    )
    chosen_from: date | None = Field(description="First day of the candles that chose the checkpoint, if later ones.")
    registered: str | None = Field(description="Of a registered model: the version that its name refers to.")


@dataclass(frozen=True)
class _Loaded:
    predictor: KronosPredictor
    seconds: float
    memory: int


Statuses = list[ModelStatus]


class ModelService:
    """Keeps the most recently used models in memory; every thread may use it. An unknown name raises `NotFound`.

    Parameters
    ----------
    settings
        `max_loaded_models`, `threads`, and the home folder: files in its `models/NAME/model` and
        `models/NAME/tokenizer` replace those of the Hub.
    registry
        The built-in models; default those of the engine. `model_id` and `tokenizer_id` may be local folders.
    list_versions
        Returns the registered models; default none.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Mapping[str, ModelSpec] | None = None,
        list_versions: Callable[[], Sequence[RegisteredModel]] = lambda: (),
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._list_versions = list_versions
        self.registry_folder = settings.home / "registry"
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        self._lock = RLock()
        self._loading: defaultdict[str, Lock] = defaultdict(Lock)

    def list(self) -> Statuses:
        """Return every model on offer with its state: the built-in models, then the registered ones."""
        built_in = [self._describe(name, self._built_in_spec(name)) for name in self.built_in()]
        registered = list_offered(self._list_versions()).items()
        return built_in + [self._describe(name, self._version_spec(model), model) for name, model in registered]

    def status(self, name: str) -> ModelStatus:
        """Return the state of one model."""
        return self._describe(name, *self._find(name))

    def spec(self, name: str) -> ModelSpec:
        """Return the engine's description of a model, under the name of exactly one version."""
        return self._find(name)[0]

    def built_in(self) -> Mapping[str, ModelSpec]:
        """Return the built-in models by name."""
        from engine.loading.registry import REGISTRY

        return REGISTRY if self._registry is None else self._registry

    def bundled_present(self) -> bool:
        """Return whether a model that needs no network is on this machine."""
        from engine.loading.hub import is_downloaded

        return any(spec.bundled and is_downloaded(spec) for spec in self.built_in().values())

    def context(self, name: str) -> int:
        """Return how many candles, history and horizon together, a model can hold; loads nothing."""
        return self.spec(name).max_context

    def get(self, name: str) -> KronosPredictor:
        """Return the shared predictor, loaded first if needed; raise `Unavailable` if its files cannot be used."""
        return self._get(name, None).predictor

    def load(self, name: str, device: str | None = None) -> ModelStatus:
        """Load a model, onto `device` if one is named, and return its state."""
        if device is not None and device not in self.devices():
            raise InvalidInput(
                "unknown_device",
                text("device: this machine has no {device}.", device=device),
                text("Choose one of: {devices}.", devices=", ".join(self.devices())),
            )
        self._get(name, device)
        return self.status(name)

    def unload(self, name: str) -> None:
        """Remove a model from memory; a forecast that is running keeps it until it is done."""
        with self._lock:
            self._loaded.pop(self.spec(name).name, None)

    def devices(self) -> tuple[str, ...]:
        """Return the devices of this machine, the fastest first."""
        from engine.device import available_devices

        return available_devices()

    def _find(self, name: str) -> tuple[ModelSpec, RegisteredModel | None]:
        if name in self.built_in():
            return self._built_in_spec(name), None
        model = require(
            find_version(name, self._list_versions()),
            "unknown_model",
            text("model: there is no model {name}.", name=name),
            text("Choose one of: {names}.", names=", ".join([*self.built_in(), *list_offered(self._list_versions())])),
        )
        return self._version_spec(model), model

    def version_folder(self, model: RegisteredModel) -> Path:
        """Return the folder of a registered version."""
        return self.registry_folder / model.name / str(model.version)

    def _version_spec(self, model: RegisteredModel) -> ModelSpec:
        from engine.loading.registry import ModelSpec

        return ModelSpec(
            name=model.label,
            model_id=str(self.version_folder(model) / "model"),
            tokenizer_id=str(self.version_folder(model) / "tokenizer"),
            max_context=model.context,
            parameters=model.parameters,
            licence=LICENCE if model.base is not None else "",
            trained_until={} if model.trained_until is None else {"": model.trained_until.date()},
        )

    def _built_in_spec(self, name: str) -> ModelSpec:
        spec = replace(self.built_in()[name], name=name)
        folder = self._settings.home / "models" / name  # `name` is a key of the registry, not user input
        if not ((folder / "model").is_dir() and (folder / "tokenizer").is_dir()):
            return spec
        return replace(spec, model_id=str(folder / "model"), tokenizer_id=str(folder / "tokenizer"))

    def _describe(self, name: str, spec: ModelSpec, model: RegisteredModel | None = None) -> ModelStatus:
        from engine.loading.hub import is_downloaded, pinned_revision

        with self._lock:
            loaded = self._loaded.get(spec.name)
        local = model is not None or Path(spec.model_id).is_dir()
        return ModelStatus(
            name=name,
            description=text(spec.description) if model is None else _describe_version(model),
            parameters=spec.parameters,
            context=spec.max_context,
            tokenizer=_short_source(spec.tokenizer_id) if model is None else model.label,
            licence=spec.licence,
            bundled=spec.bundled,
            downloaded=is_downloaded(replace(spec, bundled=True) if local else spec),
            loaded=loaded is not None,
            device=str(loaded.predictor.device) if loaded else None,
            load_seconds=loaded.seconds if loaded else None,
            memory_bytes=loaded.memory if loaded else BYTES[IN_USE] * spec.parameters,
            precisions=describe_precisions(spec.parameters),
            revision=spec.revision or pinned_revision(spec.model_id),
            trained_until=dict(spec.trained_until),
            chosen_from=spec.chosen_from,
            registered=None if model is None else model.label,
        )

    def _get(self, name: str, device: str | None) -> _Loaded:
        spec = self.spec(name)
        name = spec.name  # the given name may refer to another version later
        with self._lock:
            loading = self._loading[name]
        with loading:
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


def _describe_version(model: RegisteredModel) -> Text:
    if model.base is None:
        return text("Trained here from scratch; version {version}.", version=model.version)
    return text("Fine-tuned here from {base}; version {version}.", base=model.base, version=model.version)


def _short_source(source: str) -> str:
    """Return a Hub id as it is, and only the end of a local folder: where the app is installed stays private."""
    return "/".join(Path(source).parts[-2:])
