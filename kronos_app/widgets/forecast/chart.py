"""The chart of a forecast: history, forecast candles, bands and actual candles."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from kronos_app.charts.forecast import BANDS, Outline, forecast_chart
from kronos_app.charts.style import Words
from kronos_app.data import calendars
from kronos_app.services.forecast.view import ForecastView
from kronos_app.state import gettext as _
from kronos_app.widgets.candles.last_candles import CHART_CONFIG
from kronos_app.widgets.kit.words import chart_words

Quantiles = dict[float, pd.DataFrame]

HISTORY_SHOWN = 150


def render_chart(view: ForecastView, quantiles: Quantiles, bands: Quantiles | None) -> None:
    """Render the chart of a forecast.

    Parameters
    ----------
    quantiles
        Of the sampled paths: the levels of `BANDS` and the median.
    bands
        The calibrated quantiles, None if the chart shows the bands as sampled.
    """
    history = view.history.tail(HISTORY_SHOWN)
    missing = calendars.missing(pd.DatetimeIndex(history.index), view.timezone, view.calendar, only_by_calendar=True)
    words, outline = _words(quantiles, bands)
    figure = forecast_chart(
        history, quantiles[0.5], bands or quantiles, words, actual=view.actual, missing=missing, outline=outline
    )
    st.plotly_chart(
        figure, key="forecast.chart", config=CHART_CONFIG, alt=_("History, median forecast and bands of the close")
    )


def _words(quantiles: Quantiles, bands: Quantiles | None) -> tuple[Words, Outline | None]:
    """Return the words of the chart, and the 80 % band as sampled if the chart shows calibrated ones."""
    if bands is None:
        return chart_words(), None
    lower, upper = (quantiles[level]["close"] for level in BANDS[80])
    outline = Outline(_("{level} % band as sampled").format(level=80), lower, upper)
    return replace(chart_words(), band=_("{level} % band, calibrated")), outline
