"""The last candles of a series, as a chart."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.candles import candle_chart
from kronos_app.widgets import formats
from kronos_app.widgets.words import chart_words

CHART_CONFIG = {"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def draw(candles: pd.DataFrame, count: int, key: str) -> None:
    """Draw the last `count` of `candles`, which are indexed by time, and say of how many."""
    _ = state.gettext()
    last = candles.tail(count)
    st.plotly_chart(candle_chart(last, chart_words()), key=key, config=CHART_CONFIG, alt=_("Candles of the data set"))
    if len(candles) > len(last):
        st.caption(
            _("The last {shown} of {count} candles.").format(
                shown=formats.number(len(last), 0), count=formats.number(len(candles), 0)
            )
        )
