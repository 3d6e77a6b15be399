"""The switch for calibrated bands: off by default, and always labelled."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.kit.errors import escape


def chosen_calibration(available: Calibration | Text) -> Calibration | None:
    """Return the calibration if there is one and it is switched on."""
    on = isinstance(available, Calibration) and st.session_state.get(keys.RECALIBRATED)
    return available if on and isinstance(available, Calibration) else None


def render_switch(available: Calibration | Text) -> None:
    """Render the switch with the factor, or with the reason why there is no calibration."""
    known = isinstance(available, Calibration)
    key = keys.RECALIBRATED if known else "forecast.recalibrated.unknown"
    with st.container(horizontal=True, vertical_alignment="center"):
        on = st.toggle(
            _("Calibrated bands"), disabled=not known, key=key, persist_state="session" if known else None,
            width="content",
        )  # fmt: skip
        if on or not known:
            message = available.message if isinstance(available, Calibration) else available
            st.caption(escape(state.say(message)), width="stretch")
