"""The frame of every page: navigation, sidebar, then the page."""

from __future__ import annotations

import streamlit as st

from kronos_app import access, nav, state
from kronos_app.runtime import page_served
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import in_use, sidebar, style
from kronos_app.widgets.kit.errors import render_errors


def main() -> None:
    """Render the frame and run the chosen page."""
    st.set_page_config(page_title="Kronos Desk", page_icon=str(style.ICON), layout="wide")
    if not access.admitted():
        st.error(_("There is a password, but this server cannot ask for it. Start it with: streamlit run Home.py"))
        st.stop()
    style.apply()
    chosen = st.navigation([nav.page(name) for name in nav.ENTRIES], position="sidebar")
    st.session_state.setdefault(state.LANGUAGE, state.language())
    st.session_state.setdefault(state.MARKET_COLOURS, state.market_colours())
    with st.sidebar, render_errors():
        in_use.adopt_address()
        sidebar.render_sidebar()
        nav.update_address()
    with render_errors():
        sidebar.render_notices()
        in_use.render_missing()
        chosen.run()
    page_served()


main()
