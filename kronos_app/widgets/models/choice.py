"""The models to choose from, and the one in use among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kronos_app import state
from kronos_app.errors import NotFound
from kronos_app.runtime import desk
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _


def offered() -> dict[str, ModelStatus]:
    """Return the models on offer by name, and the one in use where it is one version of a model made here."""
    statuses = {status.name: status for status in desk().models.list()}
    current = state.model()
    if current not in statuses:
        try:
            statuses[current] = desk().models.status(current)
        except NotFound:  # it was deleted since it was chosen
            state.use_model(next(iter(statuses)))
    return statuses


def label_names(statuses: Mapping[str, ModelStatus]) -> Callable[[str], str]:
    """Return a function that gives a model's name, marked where the model is still to be downloaded."""
    ready = {name for name, status in statuses.items() if status.downloaded or status.bundled}
    marked = _("{name} (to be downloaded)")
    return lambda name: name if name in ready else marked.format(name=name)
