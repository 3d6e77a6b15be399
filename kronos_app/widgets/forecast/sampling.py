"""The sampling settings: as the model recommends, a preset, or free values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.forecast.request import PRESETS
from kronos_app.services.forecast.sampling import BANDS, LABELS, describe_origin
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys

if TYPE_CHECKING:
    from engine.usage import Use

MAX_SEED, MOST_TOP_K = 2**32 - 1, 1_000_000
# Key of the session to the recommended setting of a model.
ADVISED = {
    keys.TEMPERATURE: "temperature",
    keys.TOP_P: "top_p",
    keys.SAMPLES: "samples",
    keys.DRIFTLESS: "driftless",
}


def render_sampling(model: str) -> None:
    """Render the sampling settings, which begin with the recommendation of the model."""
    _adopt_advice(model)
    _render_preset(model)
    _render_advised_settings()
    number = partial(st.number_input, step=1, persist_state="session")
    top_k_help = _("Sample from the k likeliest tokens only; 0 means all.")
    number(_("Top-k"), 0, MOST_TOP_K, key=keys.TOP_K, on_change=_leave_preset, help=top_k_help)
    seed_help = _("The same seed gives the same forecast. Empty: a random seed, shown under Provenance.")
    number(_("Seed"), 0, MAX_SEED, key=keys.SEED, placeholder=_("random"), help=seed_help)


def _render_preset(model: str) -> None:
    labels: dict[str, str] = {use: state.say(label) for use, label in LABELS.items()}
    labels |= {key: state.say(preset.label) for key, preset in PRESETS.items()}
    chosen = st.pills(
        _("Preset"),
        list(labels),
        format_func=labels.__getitem__,
        key=keys.PRESET,
        persist_state="session",
        on_change=_apply_preset,
        args=(model,),
        wrap=True,
    )
    if chosen in LABELS:
        st.caption(state.say(describe_origin(desk().models.spec(model), chosen)))
    elif chosen is not None:
        st.caption(state.say(PRESETS[chosen].description))


def _render_advised_settings() -> None:
    slider = partial(st.slider, persist_state="session")
    help_ = _("Below 1 the model samples likely moves more often, above 1 unlikely ones.")
    key = keys.TEMPERATURE
    slider(_("Temperature"), 0.1, 2.0, step=0.05, key=key, on_change=_leave_preset, help=help_)
    help_ = _("Sample from the likeliest tokens that together have this probability.")
    slider(_("Top-p"), 0.1, 1.0, step=0.05, key=keys.TOP_P, on_change=_leave_preset, help=help_)
    help_ = _("Number of paths. More paths give smoother bands and take longer.")
    slider(_("Samples"), 1, 200, step=1, key=keys.SAMPLES, on_change=_leave_advice, help=help_)
    st.toggle(
        _("Zero drift"),
        key=keys.DRIFTLESS,
        persist_state="session",
        on_change=_leave_advice,
        help=_("Fixes the median of all paths at the last close: a forecast of volatility, not of direction."),
    )


def _adopt_advice(model: str) -> None:
    """Fill in the recommendation of a newly chosen model, except where the user changed the one before."""
    before = st.session_state.get(keys.ADVISED, {})
    if before.get("model") == model and all(key in st.session_state for key in ADVISED):
        return
    chosen = st.session_state[keys.PRESET]
    advice = _advice(model, chosen if chosen in LABELS else BANDS)
    for key in ADVISED:
        if key not in st.session_state or st.session_state[key] == before.get(key):
            st.session_state[key] = advice[key]
    st.session_state[keys.ADVISED] = advice


def _advice(model: str, use: Use) -> dict[str, Any]:
    """Return the model and, by key of the session, the values it recommends."""
    recommended = desk().models.spec(model).sampling[use]
    return {"model": model, **{key: getattr(recommended, name) for key, name in ADVISED.items()}}


def _apply_preset(model: str) -> None:
    chosen = st.session_state[keys.PRESET]
    if chosen in LABELS:
        advice = _advice(model, chosen)
        st.session_state.update({key: advice[key] for key in ADVISED} | {keys.TOP_K: 0})
        st.session_state[keys.ADVISED] = advice
    elif chosen is not None:
        preset = PRESETS[chosen]
        st.session_state[keys.TEMPERATURE] = preset.temperature
        st.session_state[keys.TOP_P] = preset.top_p
        st.session_state[keys.TOP_K] = preset.top_k


def _leave_preset() -> None:
    st.session_state[keys.PRESET] = None


def _leave_advice() -> None:
    """Leave a recommendation; presets have no number of samples and no drift."""
    if st.session_state[keys.PRESET] in LABELS:
        _leave_preset()
