"""What a session has read and not yet kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft


def kept(key: tuple[Hashable, Hashable], read: Callable[[], Draft]) -> Draft:
    """Return what was read before under `key`; a source is read once, not at every click."""
    known: dict[tuple[Hashable, Hashable], Draft] = st.session_state.get(state.DATA_DRAFT, {})
    if key not in known:
        known = {other: draft for other, draft in known.items() if other[0] == key[0]} | {key: read()}
        st.session_state[state.DATA_DRAFT] = known
    return known[key]
