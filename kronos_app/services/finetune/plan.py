"""The plan of a run: complete config, prepared candles and warnings."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import OrderedDict, defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.core.training_errors import to_text, training_errors
from kronos_app.services.finetune.base import BaseModel, resolve
from kronos_app.services.finetune.views import Advice, TunePlan
from kronos_app.services.selection.training_data import TrainingData, TrainingFiles

if TYPE_CHECKING:
    from kronos_app.services.finetune.request import TuneRequest
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings
    from training.run.config import RunConfig

KEPT_PLANS = 32


@dataclass(frozen=True)
class Planned:
    """A plan, its base model and the folder of its prepared candles."""

    plan: TunePlan
    base: BaseModel
    prepared: Path
    data_digest: str


class Planner:
    """Makes plans and caches the last ones; every thread may use it."""

    def __init__(self, settings: Settings, data: TrainingData, models: ModelService) -> None:
        self._settings = settings
        self._data = data
        self._models = models
        self._plans: OrderedDict[str, Planned] = OrderedDict()
        self._lock = Lock()
        self._preparing: defaultdict[Path, Lock] = defaultdict(Lock)

    def plan(self, request: TuneRequest) -> Planned:
        """Return the plan of a request; raises AppError for a setting, the candles, the model or the disk."""
        base = resolve(request.config.get("base", {}), self._models)
        files = self._data.write(request.data)
        config = self._config(request, base, files)
        digest = _digest(config.model_dump_json(exclude={"name"}), files.digest)
        with self._lock:
            planned = self._plans.get(digest)
        if planned is None or not planned.prepared.is_dir():
            planned = self._planned(config, base, files, digest)
            with self._lock:
                self._plans[digest] = planned
                while len(self._plans) > KEPT_PLANS:
                    self._plans.popitem(last=False)
        if planned.plan.config == config:
            return planned
        return replace(planned, plan=planned.plan.model_copy(update={"config": config}), base=base)

    def _config(self, request: TuneRequest, base: BaseModel, files: TrainingFiles) -> RunConfig:
        from training.run.addresses import AddressPolicy
        from training.run.config_file import parse_config
        from training.run.tracking import check_services

        if "data" in request.config:
            raise InvalidInput(
                "run_data", text("config.data cannot be set here."), text("Choose the candles with the field data.")
            )
        fields = {**request.config, "base": base.fields, "data": dict(files.data)}
        with training_errors(self._redaction(base).redact_text):
            config = parse_config(fields)
        self._check_machine(config)
        with training_errors():
            check_services(config, AddressPolicy.of(self._settings.allowed_addresses, os.environ))
        _check_context(config, base)
        if config.machine.threads is None and self._settings.threads is not None:
            machine = config.machine.model_copy(update={"threads": self._settings.threads})
            return config.model_copy(update={"machine": machine})
        return config

    def _check_machine(self, config: RunConfig) -> None:
        device = config.machine.device
        if device is not None and device not in self._models.devices():
            raise InvalidInput(
                "unknown_device",
                text("machine.device: this machine has no {device}.", device=device),
                text("Choose one of: {devices}.", devices=", ".join(self._models.devices())),
            )

    def _planned(self, config: RunConfig, base: BaseModel, files: TrainingFiles, digest: str) -> Planned:
        from training.fit.advice import advise_rate
        from training.fit.preparing import prepare
        from training.run.footprint import check_memory
        from training.run.preflight import preflight

        parts = config.model_dump_json(include={"data", "split", "window", "seed"})
        folder = self._data.folder / files.digest / f"prepared-{_digest(parts)}"
        redaction = self._redaction(base)
        with training_errors(redaction.redact_text):
            check_memory(config, self._settings.run_memory_bytes)
        with self._preparing_lock(folder), training_errors(redaction.redact_text):
            corpus = prepare(config, folder)
            checked = preflight(corpus, config)
        windows = checked.splits["train"].windows
        advice = {}
        for stage in config.stages:
            rate, reason = advise_rate(stage, windows, scratch=config.base.from_scratch(stage))
            advice[str(stage)] = Advice(learning_rate=rate, reason=to_text(reason))
        plan = TunePlan(
            digest=digest,
            config=config,
            preflight=checked.model_dump(mode="json", exclude={"notes", "warnings"}),
            warnings=tuple(redaction.redact_text(to_text(warning)) for warning in checked.warnings),
            notes=(*files.notes, *(redaction.redact_text(to_text(note)) for note in checked.notes)),
            advice=advice,
        )
        return Planned(plan, base, folder, files.digest)

    def _redaction(self, base: BaseModel) -> Redaction:
        return Redaction(self._settings, base.fields, base.name)

    def _preparing_lock(self, folder: Path) -> Lock:
        with self._lock:
            return self._preparing[folder]


def share(prepared: Path, folder: Path) -> None:
    """Link the prepared candles of a plan into the folder of a run, or copy them if the disk has no links."""
    with suppress(OSError):  # otherwise the run prepares them itself
        shutil.copytree(prepared, folder, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _check_context(config: RunConfig, base: BaseModel) -> None:
    if config.window.size > base.context:
        raise InvalidInput(
            "window_too_long",
            text(
                "window: {lookback} + {horizon} candles are more than the {context} that {model} can hold.",
                lookback=config.window.lookback,
                horizon=config.window.horizon,
                context=base.context,
                model=base.name or text("the model"),
            ),
            text("Shorten window.lookback or window.horizon."),
        )


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
