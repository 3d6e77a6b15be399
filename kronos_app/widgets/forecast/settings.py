"""The settings in the form: their defaults, those of an earlier forecast, and how the two differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.errors import NotFound
from kronos_app.runtime import desk
from kronos_app.services.models.limits import SHORTEST_HISTORY
from kronos_app.services.selection.setup import Setup
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.runs.setup import LABELS, setup_values

FUTURE, REPLAY = "future", "replay"
# Field of the request to the key of its widget.
FIELDS = {
    "lookback": keys.LOOKBACK,
    "horizon": keys.HORIZON,
    "window": keys.WINDOW,
    "temperature": keys.TEMPERATURE,
    "top_p": keys.TOP_P,
    "top_k": keys.TOP_K,
    "samples": keys.SAMPLES,
    "driftless": keys.DRIFTLESS,
    "seed": keys.SEED,
}
# Of a new session; what the model recommends comes from it.
DEFAULTS: dict[str, Any] = {keys.MODE: FUTURE} | {
    FIELDS[name]: Setup.model_fields[name].default for name in ("lookback", "horizon", "window", "top_k", "seed")
}


def set_defaults(candles: CandleFrame) -> None:
    """Set the settings of a new session; the lookback is one that the data set has room for, also in a replay."""
    room = max(len(candles) - DEFAULTS[keys.HORIZON], SHORTEST_HISTORY)
    for key, value in (DEFAULTS | {keys.LOOKBACK: min(DEFAULTS[keys.LOOKBACK], room)}).items():
        state.default(key, value)


def form_settings() -> dict[str, Any]:
    """Return the settings in the form by field of the request, without data set, model and cutoff."""
    return {name: st.session_state[key] for name, key in FIELDS.items()}


def forecast_settings(forecast: StoredForecast) -> dict[str, Any]:
    """Return the settings of a forecast by field of the request, its seed included.

    Its lookback is the number of candles used: the form refuses a longer one that does not fit.
    """
    request = forecast.request
    return setup_values(forecast) | {
        "candles_id": forecast.candles_id,
        "model": request["model"],
        "cutoff": forecast.cutoff.to_pydatetime() if request.get("cutoff") else None,
        "window": request.get("window", "fit"),
    }


def load_settings(forecast: StoredForecast) -> None:
    """Set form and sidebar to the settings of a forecast; a data set that was deleted cannot be chosen."""
    settings = forecast_settings(forecast)
    try:
        desk().candles.get(forecast.candles_id)
        state.use_candles(forecast.candles_id)
    except NotFound:
        pass  # the result says that its data set was deleted
    state.use_model(settings["model"])
    cutoff = settings["cutoff"]
    st.session_state.update({key: settings[name] for name, key in FIELDS.items()})
    st.session_state[keys.MODE] = FUTURE if cutoff is None else REPLAY
    st.session_state[keys.ADVISED] = {"model": settings["model"]}
    if cutoff is not None:
        st.session_state.update({state.FORECAST_CUTOFF: cutoff, state.FORECAST_CUTOFF_DATE: cutoff})


def name_differences(settings: Mapping[str, Any], forecast: StoredForecast) -> list[str]:
    """Return the labels of the settings that differ from those of a forecast; an empty seed is no difference."""
    made = forecast_settings(forecast)
    if settings["seed"] is None:
        made["seed"] = None
    labels = {"candles_id": _("Data set"), "model": _("Model"), "cutoff": _("Cutoff"), "window": _("Window")}
    labels |= {name: state.say(label) for name, label in LABELS.items()}
    return [label for name, label in labels.items() if settings[name] != made[name]]
