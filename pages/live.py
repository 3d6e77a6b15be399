"""Live: followed series, and the ledger of all forecasts."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import render_errors
from kronos_app.widgets.ledger.record import render_ledger
from kronos_app.widgets.live import form, keys
from kronos_app.widgets.live.follows import render_follows
from kronos_app.widgets.runs.setup import adopt_forecast


def render() -> None:
    st.title(_("Live"))
    st.markdown(
        _(
            "A followed series is forecast whenever a candle is completed, also while this page is closed, as long as "
            "the desk runs. Candles completed while it does not run are not forecast afterwards."
        )
    )
    adopted = adopt_forecast("live", form.adopt_forecast)
    with render_errors():
        render_follows()
    state.default(keys.FORM, adopted or not desk().following.list())
    section = st.expander(_("Follow a series"), icon=":material/add:", key=keys.FORM, on_change="rerun")
    with section, render_errors():
        if section.open:  # a dozen fields take the browser long to draw
            form.render_form()
    with render_errors():
        render_ledger()


render()
