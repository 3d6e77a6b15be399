"""What surrounds every page: access gate, navigation, sidebar, then the page itself."""

from __future__ import annotations

import streamlit as st

from kronos_app import access, nav, state
from kronos_app.runtime import page_served
from kronos_app.widgets import sidebar, style
from kronos_app.widgets.errors import shown


def main() -> None:
    """Draw the frame and run the chosen page inside it."""
    st.set_page_config(page_title="Kronos Desk", page_icon=str(style.ICON), layout="wide")
    style.apply()
    admitted = access.admitted()
    # Declared before the door, too: Streamlit would forget which page the address names.
    chosen = st.navigation([nav.page(name) for name in nav.ENTRIES], position="sidebar" if admitted else "hidden")
    if not admitted:
        access.draw_door()
        return
    st.query_params.update(nav.language_parameter())
    st.session_state.setdefault(state.LANGUAGE, state.language())
    with st.sidebar, shown():
        sidebar.draw()
    with shown():
        sidebar.draw_notice()
        chosen.run()
    page_served()


main()
