"""Forecast: settings on the left, and on the right the job in progress or its result."""

from __future__ import annotations

import streamlit as st

from kronos_app.state import gettext as _
from kronos_app.widgets.forecast.form import render_form
from kronos_app.widgets.forecast.outcome import open_submissions, render_outcome
from kronos_app.widgets.kit.errors import render_errors


def render() -> None:
    st.title(_("Forecast"))
    settings, result = st.columns([4, 10], gap="medium")
    candles = None
    with settings, render_errors():
        candles = render_form(on_submit=open_submissions)
    with result, render_errors():
        render_outcome(candles)


render()
