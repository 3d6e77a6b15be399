"""Home: the purpose of the product, three steps to a first forecast, and recent forecasts."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast.listing import render_rows
from kronos_app.widgets.forecast.steps import render_steps
from kronos_app.widgets.kit import job

RECENT = 5


def render() -> None:
    st.title(_("Forecast candles, and see how sure the forecast is"))
    st.markdown(
        _(
            "Kronos reads a history of candles (open, high, low, close, volume) like a language and samples many "
            "possible continuations. You get the median path, prediction intervals, and a fair comparison with random "
            "walks. Everything is computed on this machine; nothing you upload leaves it."
        )
    )
    render_steps()
    job.render_active_jobs()
    st.subheader(_("Recent forecasts"))
    recent = desk().forecasts.list(limit=RECENT)
    if not recent:
        st.caption(_("None yet. Your forecasts will be listed here."))
        return
    render_rows(recent)
    nav.link("history", _("All forecasts"), icon=":material/history:")


render()
