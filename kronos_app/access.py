"""An optional password before the pages, off unless `KRONOS_PASSWORD` or the secret `password` is set.

It keeps strangers out of a desk on an open port; it is no user management. The API has its own token
(`KRONOS_API_TOKEN`).
"""

from __future__ import annotations

import hmac
import os

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from kronos_app import state


def password() -> str:
    """Return the password of this deployment, empty where there is none."""
    try:
        secret = st.secrets.get("password", "")
    except StreamlitSecretNotFoundError:
        secret = ""
    return os.environ.get("KRONOS_PASSWORD") or str(secret)


def admitted() -> bool:
    """Return whether this session may see the pages."""
    return not password() or bool(st.session_state.get(state.ADMITTED))


def draw_door() -> None:
    """Ask for the password; run the script again once it was right."""
    _ = state.gettext()
    st.title("Kronos Desk")
    with st.form("access", width=420):
        given = st.text_input(_("Password"), type="password")
        entered = st.form_submit_button(_("Enter"), type="primary")
    if not entered:
        return
    if hmac.compare_digest(given.encode(), password().encode()):
        st.session_state[state.ADMITTED] = True
        st.rerun()
    st.error(_("This password is not right."))
