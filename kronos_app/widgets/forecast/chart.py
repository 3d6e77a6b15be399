"""The chart of a forecast: history, forecast candles, bands and actual candles."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from kronos_app.charts.forecast import BANDS, Outline, forecast_chart
from kronos_app.charts.style import ChartStyle
from kronos_app.data import calendars
from kronos_app.services.forecast.view import CandleKind, ForecastView
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.kit.figure import cached_figure, render_candles_in

Quantiles = dict[float, pd.DataFrame]


def render_chart(view: ForecastView, quantiles: Quantiles, bands: Quantiles | None) -> CandleKind:
    """Render the chart of a forecast and return which candles it shows.

    Parameters
    ----------
    quantiles
        Of the sampled paths: the levels of `BANDS` and the median.
    bands
        The calibrated quantiles, None if the chart shows the bands as sampled.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = _choose_candles(view)
        choice = st.container(width="content")
    horizon = len(view.stored.timestamps)
    ranges = [(_("Horizon"), 2 * horizon), (_("3 × horizon"), 4 * horizon)]
    alt = _("History, forecast candles and bands of the close")
    build = partial(_build_figure, view, kind, quantiles, bands)
    place = st.empty()
    with choice:
        render_candles_in(place, build, ranges, "forecast.chart", alt, f"forecast-{view.id}")
    return kind


def describe_candles(view: ForecastView, kind: CandleKind) -> str:
    """Return the name of the candles that stand for a forecast."""
    if kind == "representative":
        return _("Representative path ({number})").format(number=view.representative_path)
    return {"median": _("Median"), "mean": _("Mean")}.get(str(kind)) or _("Path {number}").format(number=kind)


def _choose_candles(view: ForecastView) -> CandleKind:
    """Render the choice of the candles that stand for the forecast and return it."""
    labels: dict[Literal["representative", "path", "median", "mean"], str] = {
        "representative": _("Representative path"),
        "path": _("One path"),
        "median": _("Median"),
        "mean": _("Mean"),
    }
    chosen = st.selectbox(
        _("Forecast candles"),
        list(labels),
        format_func=labels.__getitem__,
        key=keys.CANDLE_KIND,
        persist_state="session",
        width=220,
        label_visibility="collapsed",
        help=_(
            "The representative path is the sampled path nearest to all others. Median and mean are taken of each "
            "step by itself, so they are smoother than any path."
        ),
    )
    if chosen != "path":
        return chosen
    count = len(view.stored.paths)
    return int(
        st.number_input(
            _("Path"), 1, count, key=keys.PATH, persist_state="session", width=140, label_visibility="collapsed"
        )
    )


def _build_figure(
    view: ForecastView, kind: CandleKind, quantiles: Quantiles, bands: Quantiles | None, shown: int | None, log: bool
) -> go.Figure:
    """Return the figure; it is built once for each forecast, choice and style."""
    known = None if view.actual is None else (len(view.actual), str(view.actual.index[-1]))
    edge = None if bands is None else float(bands[BANDS[80][1]]["close"].iloc[-1])
    key = (view.id, str(kind), known, len(view.history), edge, shown, log)
    return cached_figure(key, partial(_build, view, kind, quantiles, bands, shown, log))


def _build(
    view: ForecastView,
    kind: CandleKind,
    quantiles: Quantiles,
    bands: Quantiles | None,
    shown: int | None,
    log: bool,
    style: ChartStyle,
) -> go.Figure:
    times = pd.DatetimeIndex(view.history.index)
    style, outline = replace(style, forecast=describe_candles(view, kind)), None
    if bands is not None:
        style = replace(style, band=_("{level} % band, calibrated"))
        lower, upper = (quantiles[level]["close"] for level in BANDS[80])
        outline = Outline(_("{level} % band as sampled").format(level=80), lower, upper)
    return forecast_chart(
        view.history,
        view.candles(kind),
        bands or quantiles,
        style,
        actual=view.actual,
        missing=calendars.missing(times, view.timezone, view.calendar, only_by_calendar=True),
        outline=outline,
        shown=shown,
        log=log,
    )
