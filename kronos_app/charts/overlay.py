"""Several forecasts on one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from kronos_app.charts.axes import TimeAxis, panels
from kronos_app.charts.forecast import BANDS, band_traces
from kronos_app.charts.style import FORECAST, NEUTRAL, ORANGE, SECOND, TEAL, ChartStyle

STYLES = (
    (FORECAST, "solid"),
    (SECOND, "dash"),
    (TEAL, "dot"),
    (ORANGE, "dashdot"),
    ("#8c8a1f", "longdash"),
    ("#2f8fd0", "longdashdot"),
)
"""Colour and dash of each line; no forecast is recognized by its colour alone."""

MOST_FORECASTS = len(STYLES)
BAND = 80
_INK = 0.32  # opacity of all bands together


def overlay_chart(
    names: Sequence[str],
    medians: Sequence[pd.DataFrame],
    quantiles: Sequence[Mapping[float, pd.DataFrame]],
    style: ChartStyle,
    *,
    actual: pd.Series[float] | None = None,
    height: int = 460,
) -> go.Figure:
    """Return the median close and the 80 % band of up to `MOST_FORECASTS` forecasts, with the actual closes.

    Parameters
    ----------
    names
        Legend entries of the forecasts; a click on one hides its line and its band.
    medians, quantiles
        As for `forecast_chart`, one per forecast.
    actual
        Closes by time, where known.
    """
    indexes = [median.index for median in medians] + ([] if actual is None else [actual.index])
    axis = TimeAxis.over(pd.DatetimeIndex([time for index in indexes for time in index]))
    price: list[BaseTraceType] = []
    low, high = BANDS[BAND]
    opacity = _INK / len(names)
    for name, median, levels, (colour, dash) in zip(names, medians, quantiles, STYLES, strict=False):
        x, lower, upper = axis.at(median.index), levels[low]["close"], levels[high]["close"]
        label = f"{name}, {style.band.format(level=BAND)}"
        band = band_traces(x, None, lower, upper, label, opacity, colour)
        price += [trace.update(legendgroup=name) for trace in band]
        line = {"color": colour, "dash": dash, "width": 2.2}
        price.append(go.Scatter(x=x, y=median["close"], name=name, legendgroup=name, mode="lines", line=line))
    if actual is not None:
        x, line = axis.at(actual.index), {"color": NEUTRAL, "width": 1.8}
        price.append(go.Scatter(x=x, y=actual, name=style.actual, mode="lines", line=line))
    return panels(axis.labels, style, price, height=height)
