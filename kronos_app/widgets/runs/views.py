"""The views of a page of runs: a new run, the list, and runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from kronos_app import state
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.errors import render_errors

NEW, COMPARE = "new", "compare"  # names of views; the address names compared runs by the second


def render_views(page: str, views: Mapping[str, tuple[str, Callable[[], None]]], *, list_first: bool) -> None:
    """Render the choice of a view and the chosen one.

    Parameters
    ----------
    views
        Labels and functions by name: `NEW`, the list, and `COMPARE` if there is one.
    list_first
        Whether the page opens with the list instead of a new run.
    """
    linked = COMPARE in views and COMPARE in st.query_params
    key = f"{page}.view"
    state.default(key, COMPARE if linked else list(views)[1] if list_first else NEW)
    view = st.segmented_control(
        _("View"),
        list(views),
        format_func=lambda name: views[name][0],
        key=key,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if view != COMPARE:
        st.query_params.pop(COMPARE, None)
    with render_errors():
        views[view or NEW][1]()
