"""The glossary, opened from the sidebar of every page."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.services.core.glossary import read_glossary
from kronos_app.state import gettext as _


def render_glossary_button() -> None:
    """Render the button that opens the glossary."""
    if st.button(_("Glossary"), icon=":material/menu_book:", type="tertiary"):
        st.dialog(_("Glossary"), width="large")(render_glossary)()


def render_glossary() -> None:
    """Render the terms that contain what is typed, with their meaning in the session's language."""
    query = st.text_input(_("Find a term"), key=state.GLOSSARY_QUERY).strip().casefold()
    terms = [term for term in read_glossary() if query in " ".join(term).casefold()]
    if not terms:
        st.caption(_("No term matches."))
        return
    if state.language() == "zh_CN":
        rows = [{"术语": chinese, "English": english, "含义": meaning} for english, chinese, *_rest, meaning in terms]
    else:
        rows = [{"Term": english, "中文": chinese, "Meaning": meaning} for english, chinese, meaning, *_rest in terms]
    st.table(rows)
