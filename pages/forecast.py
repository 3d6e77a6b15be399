"""Forecast: the settings in one bar, and below it the job in progress or the result."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast.form import render_form
from kronos_app.widgets.forecast.outcome import find_result, names_outcome, render_form_switch
from kronos_app.widgets.forecast.result import render_forecast
from kronos_app.widgets.kit.errors import render_errors


def render() -> None:
    in_use = state.candles_id(), state.model()  # as the sidebar shows them
    heading, form, outcome = st.container(horizontal=True, vertical_alignment="center"), st.container(), st.container()
    result = None
    with outcome, render_errors():
        result = find_result()
    with heading:
        st.title(_("Forecast"))
        render_form_switch()
    with form:
        render_form(in_use, result, preview=not names_outcome())
    with outcome, render_errors():
        if result is not None:
            render_forecast(result)


render()
