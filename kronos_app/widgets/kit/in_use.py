"""The data set and the model in use, which the address names: a reload keeps them, and a link shares them."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.errors import NotFound
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import escape


def adopt_address() -> None:
    """Use the data set and the model that the address names, once in a session, and note those that do not exist."""
    if state.MISSING in st.session_state:
        return
    missing = {}
    for parameter, find, use in (
        (state.DATA_PARAMETER, desk().candles.info, state.use_candles),
        (state.MODEL_PARAMETER, desk().models.spec, state.use_model),
    ):
        if name := st.query_params.get(parameter):
            try:
                find(name)
                use(name)
            except NotFound:
                missing[parameter] = name
    st.session_state[state.MISSING] = missing


def render_missing() -> None:
    """Render which data set and model of the address do not exist, until the user chooses others."""
    words = {
        state.DATA_PARAMETER: _(
            "The data set {name} of this address does not exist, or was deleted. Choose another one."
        ),
        state.MODEL_PARAMETER: _(
            "The model {name} of this address does not exist, or was deleted. Choose another one."
        ),
    }
    for parameter, name in st.session_state.get(state.MISSING, {}).items():
        st.warning(escape(words[parameter].format(name=name[:100])), icon=":material/link_off:")
