"""Models: all models with their size and state, and the registered versions."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.models import cards, versions


def render() -> None:
    st.title(_("Models"))
    st.markdown(
        _(
            "A model has a tokenizer, which turns candles into tokens, and a predictor, which continues them. "
            "Models that are not included are downloaded from the Hugging Face Hub when they are first loaded."
        )
    )
    device = cards.render_device_field()
    statuses = desk().models.list()
    for status in statuses:
        if status.registered is None:
            cards.render_card(status, device)
    with render_errors():
        versions.render_registered([status for status in statuses if status.registered], device)
    with st.expander(_("Without access to the Hub"), icon=":material/cloud_off:"):
        st.markdown(
            _(
                "Set the environment variable `HF_ENDPOINT` to a mirror and restart, or put the files into "
                "`models/NAME/model` and `models/NAME/tokenizer` in this folder:"
            )
        )
        st.code(str(desk().settings.home), language=None)


render()
