"""Parts of the pages of runs: verdicts, warnings, notes, charts and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape

CHART_CONFIG = {"displaylogo": False, "displayModeBar": False}


def render_verdict(verdict: Text, grade: int) -> None:
    """Render a verdict: green for grade 1, red for -1, blue for 0."""
    render = {1: st.success, 0: st.info, -1: st.error}[grade]
    icon = {1: "trending_up", 0: "trending_flat", -1: "trending_down"}[grade]
    render(escape(state.say(verdict)), icon=f":material/{icon}:")


def render_warning(warning: Text, *, severe: bool) -> None:
    """Render why a result may look better than it is, in red if that is certain."""
    sentence = escape(state.say(warning))
    if severe:
        st.error(sentence, icon=":material/warning:")
    else:
        st.caption(":material/info: " + sentence)


def render_notes(notes: Iterable[Text]) -> None:
    """Render what to know about the candles."""
    for note in notes:
        st.caption(":material/info: " + escape(state.say(note)))


def render_chart(figure: go.Figure, key: str, alt: str) -> None:
    """Render a figure."""
    st.plotly_chart(figure, key=key, config=CHART_CONFIG, alt=alt)


def render_table(
    table: Any, columns: Mapping[str, Any], alt: str, key: str | None = None, *, most: int | None = None
) -> None:
    """Render a table without its index.

    Parameters
    ----------
    table
        A frame, or a styled one.
    columns
        Labels or settings of the columns.
    most
        Rows above which the table scrolls.
    """
    rows = len(table.index)
    st.dataframe(
        table,
        hide_index=True,
        height="content" if most is None or rows <= most else 35 * (most + 1),
        placeholder=formats.MISSING,
        key=key,
        column_config=dict(columns),
        alt=alt,
    )


def render_rows(rows: list[list[Any]], columns: list[str], alt: str, key: str) -> None:
    """Render a table of rows under the given headers."""
    render_table(pd.DataFrame(rows, columns=columns), {}, alt, key)
