"""The state of a browser session: keys of widgets, the language, the data set and the model in use.

What a link must reproduce (a forecast, a job, a comparison, language, colours, the data set and the model in use) is in
the query parameters.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from kronos_app.i18n import LANGUAGES, Text, translate
from kronos_app.services.models.limits import DEFAULT_MODEL
from kronos_app.settings import get_settings

LANGUAGE = "app.language"
MARKET_COLOURS = "app.market_colours"
CANDLES_ID = "app.candles_id"
MODEL = "app.model"
DEVICE = "app.device"
MISSING = "app.missing"  # by query parameter, what the address names and does not exist
ANSWERS = "app.answers"
ASK_AGAIN = "app.ask_again"
GLOSSARY_QUERY = "app.glossary_query"
DATA_PARAMETER, MODEL_PARAMETER = "data", "model"
# Reset by `use_candles`.
FORECAST_CUTOFF = "forecast.cutoff"
FORECAST_CUTOFF_DATE = "forecast.cutoff_date"


def language() -> str:
    """Return the session's language: chosen by the user, else of the address, else of the deployment."""
    chosen = st.session_state.get(LANGUAGE) or st.query_params.get("lang")
    return chosen if chosen in LANGUAGES else get_settings().language


def market_colours() -> str | None:
    """Return the key of the market colours that the user chose, else of the address; None: as usual."""
    return st.session_state.get(MARKET_COLOURS) or st.query_params.get("colours")


def gettext(msgid: str) -> str:
    """Return a message in the session's language; modules import this as `_`."""
    return translate(msgid, language())


def say(message: Text) -> str:
    """Return a message of a lower layer in the session's language."""
    return message.render(language())


def joined(*parts: str) -> str:
    """Return the key of a widget that exists once for each value, such as each source."""
    return ".".join(parts)


def default(key: str, value: Any) -> None:
    """Set the first value of a widget, unless the session has a value."""
    st.session_state.setdefault(key, value)


def clamp(key: str, low: Any, high: Any) -> None:
    """Move a widget's value into bounds that have changed; Streamlit refuses values outside."""
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(max(st.session_state[key], low), high)


def candles_id() -> str | None:
    """Return the id of the data set in use."""
    return st.session_state.get(CANDLES_ID)


def use_candles(new: str) -> None:
    """Use a data set and reset the settings that depend on the previous one."""
    if new != candles_id():
        for key in (FORECAST_CUTOFF, FORECAST_CUTOFF_DATE):
            st.session_state.pop(key, None)
        st.session_state.get(MISSING, {}).pop(DATA_PARAMETER, None)
    st.session_state[CANDLES_ID] = new


def leave_candles(*, missing: bool) -> None:
    """Use no data set any more; one that is missing, deleted elsewhere, is said to the user."""
    left = st.session_state.pop(CANDLES_ID)
    if missing:
        st.session_state.setdefault(MISSING, {})[DATA_PARAMETER] = left


def model() -> str:
    """Return the name of the model in use."""
    return str(st.session_state.get(MODEL, DEFAULT_MODEL))


def use_model(name: str) -> None:
    """Use a model."""
    if name != model():
        st.session_state.get(MISSING, {}).pop(MODEL_PARAMETER, None)
    st.session_state[MODEL] = name


def device() -> str | None:
    """Return the device of models, None for the fastest."""
    return st.session_state.get(DEVICE)
