"""The choice of a saved data set."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSet
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import formats, names


def render_candle_picker() -> CandleSet | None:
    """Render the choice and return the chosen set; without any, render where to get one."""
    infos = {info.id: info for info in desk().candles.list()}
    if not infos:
        st.info(_("There is no data set yet. Upload one, or take a sample."), icon=":material/database:")
        nav.link("data", _("Go to Data"), icon=":material/database:")
        return None
    current = state.candles_id()
    # The choice follows the data set in use, which other pages change too.
    chosen = st.session_state[keys.PICKED] = current if current in infos else next(iter(infos))
    labels = {
        key: f"{names.shorten(info.title)} · {formats.span(info.interval.total_seconds())}"
        for key, info in infos.items()
    }
    st.selectbox(
        _("Data set"),
        list(infos),
        format_func=labels.__getitem__,
        key=keys.PICKED,
        on_change=lambda: state.use_candles(st.session_state[keys.PICKED]),
        help=names.tooltip([infos[chosen].title], _("Upload more on the Data page.")),
    )
    if chosen != current:
        st.session_state[state.CANDLES_ID] = chosen  # not by the user: a note on the address stays
        st.rerun()  # the sidebar, drawn before, must say the same
    return desk().candles.get(chosen)
