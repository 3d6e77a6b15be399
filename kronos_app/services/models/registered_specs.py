"""Registered models as the engine knows models: by name, with the folders they lie in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from engine.registry import ModelSpec
    from kronos_app.store import Store
    from kronos_app.store.registry import RegisteredModel

NAME = r"[a-z0-9][a-z0-9-]{0,39}"
_LABEL = re.compile(rf"({NAME})(?:@([1-9][0-9]{{0,8}}))?")
LICENCE = "MIT"  # that of every model there is to begin with


class RegisteredSpecs:
    """What `ModelService` asks about models made here; every thread may use it.

    `NAME` stands for the version that was promoted, else for the newest that is not retired; `NAME@3` is exactly that
    one, retired or not: old forecasts name it.
    """

    def __init__(self, home: Path, store: Store) -> None:
        self.folder = home / "registry"
        self._store = store

    def listed(self) -> dict[str, RegisteredModel]:
        """Return what is on offer: each name, and its versions where there are several."""
        found: dict[str, list[RegisteredModel]] = {}
        for one in self._store.registered.list():
            if one.state != "retired":
                found.setdefault(one.name, []).append(one)
        offer: dict[str, RegisteredModel] = {}
        for name, versions in found.items():
            offer[name] = _meant(versions)
            offer |= {one.label: one for one in versions} if len(versions) > 1 else {}
        return offer

    def find(self, name: str) -> RegisteredModel | None:
        """Return the version that a name stands for, None where there is none."""
        match = _LABEL.fullmatch(name)
        if match is None:
            return None
        versions = [one for one in self._store.registered.list() if one.name == match[1]]
        if match[2] is not None:
            return next((one for one in versions if one.version == int(match[2])), None)
        offered = [one for one in versions if one.state != "retired"]
        return _meant(offered) if offered else None

    def path(self, model: RegisteredModel) -> Path:
        """Return the folder of a version."""
        return self.folder / model.name / str(model.version)

    def spec(self, model: RegisteredModel) -> ModelSpec:
        """Return a version as the engine knows models; its name there is that of exactly this version."""
        from engine.registry import ModelSpec

        until: Mapping[str, date] = {} if model.trained_until is None else {"": model.trained_until.date()}
        return ModelSpec(
            name=model.label,
            model_id=str(self.path(model) / "model"),
            tokenizer_id=str(self.path(model) / "tokenizer"),
            max_context=model.context,
            parameters=model.parameters,
            licence=LICENCE if model.base is not None else "",
            trained_until=until,
        )


def description(model: RegisteredModel) -> Text:
    """Return what a version is, in a sentence."""
    if model.base is None:
        return text("Made here from scratch; version {version}.", version=model.version)
    return text("Made here from {base}; version {version}.", base=model.base, version=model.version)


def _meant(versions: list[RegisteredModel]) -> RegisteredModel:
    """Return the version, of those not retired, that the name alone stands for."""
    return next((one for one in versions if one.state == "promoted"), max(versions, key=lambda one: one.version))
