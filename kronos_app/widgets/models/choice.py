"""The choice of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.errors import NotFound
from kronos_app.runtime import desk
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.fields import render_select


def offered() -> dict[str, ModelStatus]:
    """Return the models on offer by name, and the one in use if it is one version of a registered model."""
    statuses = {status.name: status for status in desk().models.list()}
    current = state.model()
    if current not in statuses:
        try:
            statuses[current] = desk().models.status(current)
        except NotFound:  # deleted since it was chosen
            state.use_model(next(iter(statuses)))
    return statuses


def label_names(statuses: Mapping[str, ModelStatus]) -> Callable[[str], str]:
    """Return a function that returns the label of a model, marked if the model is to be downloaded."""
    ready = {name for name, status in statuses.items() if status.downloaded or status.bundled}
    marked = _("{name} (to be downloaded)")
    return lambda name: name if name in ready else marked.format(name=name)


def render_model_field(key: str, **options: Any) -> str:
    """Render the choice of a model, by default the one in use, and return its name."""
    statuses = offered()
    if st.session_state.get(key) not in statuses:
        st.session_state[key] = state.model()
    label = label_names(statuses)
    return render_select(key, _("Model"), {name: label(name) for name in statuses}, **options)
