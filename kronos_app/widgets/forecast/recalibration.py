"""Bands corrected by how earlier forecasts turned out: off until they are asked for, and always labelled."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.services.forecast.recalibration import Recalibration
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import escape


def wanted(found: Recalibration | Text) -> Recalibration | None:
    """Return what to correct by, None where that is unknown or was not asked for."""
    return found if isinstance(found, Recalibration) and st.session_state.get(state.FORECAST_RECALIBRATED) else None


def draw(found: Recalibration | Text) -> None:
    """Draw the switch, and beside it by what factor bands are corrected, or why they cannot be."""
    label = _("Recalibrated bands")
    with st.container(horizontal=True, vertical_alignment="center"):
        if isinstance(found, Text):
            st.toggle(label, disabled=True, key="forecast.recalibrated.unknown", width="content")
            st.caption(escape(state.say(found)), width="stretch")
            return
        on = st.toggle(label, key=state.FORECAST_RECALIBRATED, persist_state="session", width="content")
        if on:
            st.caption(escape(state.say(found.told)), width="stretch")
