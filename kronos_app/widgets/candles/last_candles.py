"""The last candles of a series, as a chart."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kronos_app.charts.candles import candle_chart
from kronos_app.data import calendars
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.chart_style import chart_style
from kronos_app.widgets.kit.figure import render_candles

RANGES = (50, 200)  # candles


def render_last_candles(candles: CandleFrame, count: int, key: str) -> None:
    """Render the last `count` of `candles`, and of how many they are.

    Those that are missing by the calendar take room, the hours that the market is closed do not.
    """
    last = candles.frame.tail(count).set_index("timestamp")
    when = candles.timezone, candles.about.calendar
    missing = calendars.missing(pd.DatetimeIndex(last.index), *when, only_by_calendar=True)
    style = chart_style()

    def build(shown: int | None, log: bool) -> go.Figure:
        return candle_chart(last, style, missing=missing, shown=shown, log=log)

    ranges = [(formats.number(shown, 0), shown) for shown in RANGES if shown < len(last)]
    render_candles(build, ranges, key, _("Candles of the data set"), "candles")
    if len(candles) > len(last):
        st.caption(
            _("The last {shown} of {count} candles.").format(
                shown=formats.number(len(last), 0), count=formats.number(len(candles), 0)
            )
        )
