"""Input fields that several forms use; each keeps its value for the session under its key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import streamlit as st

Value = TypeVar("Value")


def render_whole_number(key: str, label: str, **options: Any) -> None:
    """Render a whole number without bounds: the browser would keep a value outside back without a word."""
    st.number_input(label, step=1, key=key, persist_state="session", **options)


def render_segments(key: str, label: str, labels: Mapping[Value, str], **options: Any) -> Value:
    """Render a choice among a few values side by side, and return the value."""
    chosen: Value = st.segmented_control(
        label,
        list(labels),
        format_func=labels.__getitem__,
        required=True,
        key=key,
        persist_state="session",
        **options,
    )
    return chosen


def render_select(key: str, label: str, labels: Mapping[Value, str], **options: Any) -> Value:
    """Render a choice in a list, and return the value."""
    chosen: Value = st.selectbox(
        label, list(labels), format_func=labels.__getitem__, key=key, persist_state="session", **options
    )
    return chosen
