"""The last candles of a series, as a chart."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from kronos_app.charts.candles import candle_chart
from kronos_app.data import calendars
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.words import chart_words

CHART_CONFIG = {"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}


def render_last_candles(candles: CandleFrame, count: int, key: str) -> None:
    """Render the last `count` of `candles`, and of how many they are.

    Those that are missing by the calendar take room, the hours that the market is closed do not.
    """
    last = candles.frame.tail(count).set_index("timestamp")
    when = candles.timezone, candles.about.calendar
    missing = calendars.missing(pd.DatetimeIndex(last.index), *when, only_by_calendar=True)
    figure = candle_chart(last, chart_words(), missing=missing)
    st.plotly_chart(figure, key=key, config=CHART_CONFIG, alt=_("Candles of the data set"))
    if len(candles) > len(last):
        st.caption(
            _("The last {shown} of {count} candles.").format(
                shown=formats.number(len(last), 0), count=formats.number(len(candles), 0)
            )
        )
