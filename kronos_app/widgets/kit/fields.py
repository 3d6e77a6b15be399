"""Input fields that several forms use."""

from __future__ import annotations

import streamlit as st

from kronos_app import state


def render_number(key: str, label: str, least: int, most: int, help_: str) -> int:
    """Render a whole number within bounds that may have moved since it was set, and return it."""
    state.clamp(key, least, most)
    return int(st.number_input(label, least, most, step=1, key=key, persist_state="session", help=help_))
