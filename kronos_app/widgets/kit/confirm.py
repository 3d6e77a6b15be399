"""The dialog before something is deleted."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import escape, render_errors


def confirm(question: str, consequence: str, action: Callable[[], object]) -> None:
    """Open a dialog with `question`; run `action` if the user agrees."""

    def agreed() -> None:
        with render_errors():
            action()

    @st.dialog(_("Delete"), icon=":material/delete:")
    def ask() -> None:
        st.markdown(f"**{escape(question)}**")
        st.markdown(escape(consequence))
        with st.container(horizontal=True):
            if st.button(_("Yes, delete"), type="primary", key="app.confirm", on_click=agreed):
                st.rerun()
            if st.button(_("No, keep"), key="app.decline"):
                st.rerun()

    ask()
