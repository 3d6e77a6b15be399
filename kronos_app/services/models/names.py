"""Names of registered models: `NAME` is the promoted version, else the newest not retired; `NAME@3` is one version."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kronos_app.store.registry import RegisteredModel

NAME = r"[a-z0-9][a-z0-9-]{0,39}"
_LABEL = re.compile(rf"({NAME})(?:@([1-9][0-9]{{0,8}}))?")


def list_offered(versions: Sequence[RegisteredModel]) -> dict[str, RegisteredModel]:
    """Return the models on offer: each name, and its versions if there are several."""
    by_name: dict[str, list[RegisteredModel]] = {}
    for model in versions:
        if model.state != "retired":
            by_name.setdefault(model.name, []).append(model)
    offered: dict[str, RegisteredModel] = {}
    for name, models in by_name.items():
        offered[name] = _current(models)
        offered |= {model.label: model for model in models} if len(models) > 1 else {}
    return offered


def find_version(name: str, versions: Sequence[RegisteredModel]) -> RegisteredModel | None:
    """Return the version that a name refers to, None if there is none; a label may name a retired version."""
    match = _LABEL.fullmatch(name)
    if match is None:
        return None
    named = [model for model in versions if model.name == match[1]]
    if match[2] is not None:
        return next((model for model in named if model.version == int(match[2])), None)
    offered = [model for model in named if model.state != "retired"]
    return _current(offered) if offered else None


def _current(versions: Sequence[RegisteredModel]) -> RegisteredModel:
    newest = max(versions, key=lambda model: model.version)
    return next((model for model in versions if model.state == "promoted"), newest)
