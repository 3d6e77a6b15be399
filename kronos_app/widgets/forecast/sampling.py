"""The sampling settings: as the model recommends, a preset, or free values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.forecast.request import PRESETS, WINDOWS
from kronos_app.services.forecast.sampling import LABELS, describe_origin, preset_settings
from kronos_app.services.selection.setup import BANDS, ForecastSetup
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.settings import FIELDS
from kronos_app.widgets.kit.fields import render_segments, render_whole_number
from kronos_app.widgets.runs.fields import find_limits
from kronos_app.widgets.runs.setup import HELPS, STEPS
from kronos_app.widgets.runs.setup import LABELS as FIELD_LABELS

OWN = "own"  # no preset has these values


def adopt_recommendation(model: str) -> None:
    """Fill in the recommendation of a newly chosen model, except where the user changed the one before."""
    before = st.session_state.get(keys.ADVISED, {})
    if before.get("model") == model:
        return
    chosen = st.session_state.get(keys.PRESET)
    recommended = _preset_values(model, chosen if chosen in LABELS else BANDS)
    for key, value in recommended.items():
        if key not in st.session_state or st.session_state[key] == before.get(key):
            st.session_state[key] = value
    st.session_state[keys.ADVISED] = {"model": model, **recommended}


def render_preset(model: str) -> None:
    """Render the choice of a preset: the one whose values the settings have, if there is one."""
    labels: dict[str, str] = {use: state.say(label) for use, label in LABELS.items()}
    labels |= {key: state.say(preset.label) for key, preset in PRESETS.items()}
    chosen = st.session_state.get(keys.PRESET)
    equal = [name for name in labels if _has_values(_preset_values(model, name))]
    st.session_state[keys.PRESET] = chosen if chosen in equal else next(iter(equal), OWN)
    if not equal:
        labels[OWN] = _("Own values")
    st.selectbox(
        _("Preset"),
        list(labels),
        format_func=labels.__getitem__,
        key=keys.PRESET,
        on_change=_apply_preset,
        args=(model,),
    )


def render_sampling(model: str, context: int) -> None:
    """Render the window and the values of sampling."""
    chosen = st.session_state[keys.PRESET]
    if chosen in LABELS:
        st.caption(state.say(describe_origin(desk().models.spec(model), chosen)))
    elif chosen in PRESETS:
        st.caption(state.say(PRESETS[chosen].description))
    helps = {name: state.say(help_) for name, help_ in HELPS.items()}
    for name, key in (("temperature", keys.TEMPERATURE), ("top_p", keys.TOP_P)):
        low, high = find_limits(ForecastSetup.model_fields[name], STEPS[name])
        st.slider(
            state.say(FIELD_LABELS[name]), low, high, step=STEPS[name], key=key, help=helps[name],
            persist_state="session",
        )  # fmt: skip
    render_whole_number(keys.SAMPLES, _("Samples"), help=helps["samples"])
    st.toggle(_("Zero drift"), key=keys.DRIFTLESS, persist_state="session", help=helps["driftless"])
    render_whole_number(keys.TOP_K, _("Top-k"), help=helps["top_k"])
    help_ = _("The same seed gives the same forecast. Empty: a random seed, shown under Provenance.")
    render_whole_number(keys.SEED, _("Seed"), value=None, placeholder=_("random"), help=help_)
    _render_window(context)


def _render_window(context: int) -> None:
    window = render_segments(
        keys.WINDOW,
        _("Window"),
        {name: state.say(choice.label) for name, choice in WINDOWS.items()},
        width="stretch",
        help=_("How the model handles a lookback and horizon longer than its context."),
    )
    st.caption(state.say(WINDOWS[window].description).format(context=context))


def _preset_values(model: str, preset: str) -> dict[str, Any]:
    """Return the values of a preset by key of the session."""
    return {FIELDS[name]: value for name, value in preset_settings(preset, desk().models.spec(model)).items()}


def _has_values(values: Mapping[str, Any]) -> bool:
    """Return whether the session has these values; sliders return numbers that are not exact."""
    return all(math.isclose(st.session_state[key], value, abs_tol=1e-9) for key, value in values.items())


def _apply_preset(model: str) -> None:
    chosen = st.session_state[keys.PRESET]
    if chosen == OWN:
        return
    values = _preset_values(model, chosen)
    st.session_state.update(values)
    if chosen in LABELS:
        st.session_state[keys.ADVISED] = {"model": model, **values}
