"""Registered models in the form of the engine: names, versions and the folders of their weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kronos_app.store.registry import RegisteredModel

if TYPE_CHECKING:
    from engine.registry import ModelSpec

NAME = r"[a-z0-9][a-z0-9-]{0,39}"
_LABEL = re.compile(rf"({NAME})(?:@([1-9][0-9]{{0,8}}))?")
LICENCE = "MIT"  # of all models that training can start from


class RegisteredSpecs:
    """Finds registered models; every thread may use it.

    `NAME` refers to the promoted version, else to the newest that is not retired; `NAME@3` to exactly that version,
    retired or not, since old forecasts name it.
    """

    def __init__(self, home: Path, list_versions: Callable[[], Sequence[RegisteredModel]] = lambda: ()) -> None:
        self.folder = home / "registry"
        self._list_versions = list_versions

    def offered(self) -> dict[str, RegisteredModel]:
        """Return the models on offer: each name, and its versions if there are several."""
        by_name: dict[str, list[RegisteredModel]] = {}
        for model in self._list_versions():
            if model.state != "retired":
                by_name.setdefault(model.name, []).append(model)
        offered: dict[str, RegisteredModel] = {}
        for name, versions in by_name.items():
            offered[name] = _current(versions)
            offered |= {model.label: model for model in versions} if len(versions) > 1 else {}
        return offered

    def find(self, name: str) -> RegisteredModel | None:
        """Return the version that a name refers to, None if there is none."""
        match = _LABEL.fullmatch(name)
        if match is None:
            return None
        versions = [model for model in self._list_versions() if model.name == match[1]]
        if match[2] is not None:
            return next((model for model in versions if model.version == int(match[2])), None)
        offered = [model for model in versions if model.state != "retired"]
        return _current(offered) if offered else None

    def path(self, model: RegisteredModel) -> Path:
        """Return the folder of a version."""
        return self.folder / model.name / str(model.version)

    def spec(self, model: RegisteredModel) -> ModelSpec:
        """Return the engine's description of a version, under the name of exactly this version."""
        from engine.registry import ModelSpec

        return ModelSpec(
            name=model.label,
            model_id=str(self.path(model) / "model"),
            tokenizer_id=str(self.path(model) / "tokenizer"),
            max_context=model.context,
            parameters=model.parameters,
            licence=LICENCE if model.base is not None else "",
            trained_until={} if model.trained_until is None else {"": model.trained_until.date()},
        )


def _current(versions: Sequence[RegisteredModel]) -> RegisteredModel:
    """Return the version, of those not retired, that the name alone refers to."""
    newest = max(versions, key=lambda model: model.version)
    return next((model for model in versions if model.state == "promoted"), newest)
