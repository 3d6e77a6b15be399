"""How paths are drawn: what the model recommends, a preset, or as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.forecast.sampling import BANDS, LABELS, described
from kronos_app.services.forecast.service import PRESETS
from kronos_app.state import gettext as _

if TYPE_CHECKING:
    from engine.usage import Use

MAX_SEED = 2**32 - 1
# What a model recommends.
ADVISED = {
    state.FORECAST_TEMPERATURE: "temperature",
    state.FORECAST_TOP_P: "top_p",
    state.FORECAST_SAMPLES: "samples",
    state.FORECAST_DRIFTLESS: "driftless",
}


def draw(model: str) -> None:
    """Ask how to draw paths, beginning with what the model recommends."""
    _follow(model)
    _ask_for_preset(model)
    _ask_for_advised()
    _ask_for_the_rest()


def _ask_for_preset(model: str) -> None:
    spec = desk().models.spec(model)
    labels: dict[str, str] = {use: state.say(label) for use, label in LABELS.items()}
    labels |= {key: state.say(preset.label) for key, preset in PRESETS.items()}
    chosen = st.pills(
        _("Preset"),
        list(labels),
        format_func=labels.__getitem__,
        key=state.FORECAST_PRESET,
        persist_state="session",
        on_change=_apply_preset,
        args=(model,),
        wrap=True,
    )
    if chosen is not None:
        st.caption(state.say(described(spec, chosen) if chosen in LABELS else PRESETS[chosen].description))


def _ask_for_advised() -> None:
    """Ask for what a model has recommendations of."""
    st.slider(
        _("Temperature"),
        0.1,
        2.0,
        step=0.05,
        key=state.FORECAST_TEMPERATURE,
        persist_state="session",
        on_change=_leave_preset,
        help=_("Below 1 the model keeps to what it finds likely, above 1 it strays."),
    )
    st.slider(
        _("Top-p"),
        0.1,
        1.0,
        step=0.05,
        key=state.FORECAST_TOP_P,
        persist_state="session",
        on_change=_leave_preset,
        help=_("Draw only from the likeliest tokens that together have this probability."),
    )
    st.slider(
        _("Samples"),
        1,
        200,
        step=1,
        key=state.FORECAST_SAMPLES,
        persist_state="session",
        on_change=_leave_advice,
        help=_("How many paths to draw. More make smoother bands and take longer."),
    )
    st.toggle(
        _("Without drift"),
        key=state.FORECAST_DRIFTLESS,
        persist_state="session",
        on_change=_leave_advice,
        help=_(
            "Moves all paths together so that their median stays at the last close: how far prices may go, and no "
            "opinion of where to."
        ),
    )


def _ask_for_the_rest() -> None:
    st.number_input(
        _("Top-k"),
        0,
        1_000_000,
        step=1,
        key=state.FORECAST_TOP_K,
        persist_state="session",
        on_change=_leave_preset,
        help=_("Draw only from the k likeliest tokens; 0 means all."),
    )
    st.number_input(
        _("Seed"),
        0,
        MAX_SEED,
        step=1,
        key=state.FORECAST_SEED,
        persist_state="session",
        placeholder=_("random"),
        help=_("The same seed gives the same forecast. Left empty, one is drawn and told."),
    )


def _follow(model: str) -> None:
    """Fill in what a model that was just chosen recommends, where nobody changed what the one before did."""
    before = st.session_state.get(state.FORECAST_ADVISED, {})
    if before.get("model") == model and all(key in st.session_state for key in ADVISED):
        return
    chosen = st.session_state[state.FORECAST_PRESET]
    advice = _advice(model, chosen if chosen in LABELS else BANDS)
    for key in ADVISED:
        if key not in st.session_state or st.session_state[key] == before.get(key):
            st.session_state[key] = advice[key]
    st.session_state[state.FORECAST_ADVISED] = advice


def _advice(model: str, use: Use) -> dict[str, Any]:
    """Return the model and, by key of the session, the values it recommends."""
    recommended = desk().models.spec(model).sampling[use]
    return {"model": model, **{key: getattr(recommended, name) for key, name in ADVISED.items()}}


def _apply_preset(model: str) -> None:
    chosen = st.session_state[state.FORECAST_PRESET]
    if chosen in LABELS:
        advice = _advice(model, chosen)
        st.session_state.update({key: advice[key] for key in ADVISED} | {state.FORECAST_TOP_K: 0})
        st.session_state[state.FORECAST_ADVISED] = advice
    elif chosen is not None:
        preset = PRESETS[chosen]
        st.session_state[state.FORECAST_TEMPERATURE] = preset.temperature
        st.session_state[state.FORECAST_TOP_P] = preset.top_p
        st.session_state[state.FORECAST_TOP_K] = preset.top_k


def _leave_preset() -> None:
    st.session_state[state.FORECAST_PRESET] = None


def _leave_advice() -> None:
    """Presets say nothing of samples and drift, recommendations do."""
    if st.session_state[state.FORECAST_PRESET] in LABELS:
        _leave_preset()
