"""A forecast after its history, with its bands and its actual candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from kronos_app.charts.style import (
    DOWN,
    FORECAST,
    NEUTRAL,
    UP,
    TimeAxis,
    Words,
    candles,
    direction_colours,
    has_volume,
    panels,
    translucent,
    volumes,
)

BANDS: dict[int, tuple[float, float]] = {90: (0.05, 0.95), 80: (0.1, 0.9), 50: (0.25, 0.75)}
_OPACITY = {90: 0.12, 80: 0.14, 50: 0.2}


@dataclass(frozen=True, eq=False)
class Outline:
    """The edges of a band as dotted lines, for comparison with the filled bands."""

    name: str
    lower: pd.Series[float]
    upper: pd.Series[float]


def forecast_chart(
    history: pd.DataFrame,
    median: pd.DataFrame,
    quantiles: Mapping[float, pd.DataFrame],
    words: Words,
    *,
    actual: pd.DataFrame | None = None,
    missing: pd.DatetimeIndex | None = None,
    outline: Outline | None = None,
    height: int = 560,
) -> go.Figure:
    """Return history, median forecast, the bands of the close and the actual candles.

    Parameters
    ----------
    history
        Indexed by time: `open high low close` and perhaps `volume`; its last row is the cutoff. May be empty.
    median
        Indexed by time: the median of each step.
    quantiles
        Level to frame as `median`; must have the levels of `BANDS`.
    actual
        As `history`; only times of `median`.
    missing
        Times of missing candles, which get empty slots; closed hours get none.
    outline
        A band to compare the others with.
    """
    axis = TimeAxis.over(pd.DatetimeIndex([*history.index, *median.index]), missing)
    past, ahead = axis.at(history.index), axis.at(median.index)
    start = history["close"].tail(1)
    price: list[BaseTraceType] = []
    for level, (low, high) in BANDS.items():
        name = words.band.format(level=level)
        lower, upper = quantiles[low]["close"], quantiles[high]["close"]
        price += band_traces(past[-1:] + ahead, start, lower, upper, name, _OPACITY[level])
    price.append(candles(past, history, words.history, (UP, DOWN), words))
    known = actual if actual is not None and not actual.empty else None
    opacity = 0.75 if known is None else 0.45  # actual candles are drawn over the forecast
    if outline is not None:
        price += _outline(past[-1:] + ahead, start, outline)
    price.append(candles(ahead, median, words.forecast, (FORECAST, FORECAST), words, opacity=opacity))
    price.append(_middle(past[-1:] + ahead, start, median["close"]))
    if known is not None:
        price.append(candles(axis.at(known.index), known, words.actual, (UP, DOWN), words))
    volume: list[BaseTraceType] = []
    if has_volume(history, actual):
        volume.append(volumes(past, history, words.volume, direction_colours(history)))
        if "volume" in median:
            volume.append(volumes(ahead, median, words.forecast, FORECAST, 0.45))
        if known is not None and "volume" in known:
            volume.append(volumes(axis.at(known.index), known, words.actual, direction_colours(known)))
    figure = panels(axis.labels, words, price, volume, height=height)
    if past:
        _mark_cutoff(figure, axis.labels.index(past[-1]) + 0.5, words.cutoff)
    return figure


def band_traces(
    x: list[str],
    start: pd.Series[float] | None,
    lower: pd.Series[float],
    upper: pd.Series[float],
    name: str,
    opacity: float,
    colour: str = FORECAST,
) -> list[go.Scatter]:
    """Return the two edges of a band, the second filled down to the first, both starting at `start`."""
    first = [] if start is None else start.to_list()
    edge = {"x": x, "mode": "lines", "line": {"width": 0}, "legendgroup": name, "hoverinfo": "skip"}
    fill = translucent(colour, opacity)
    return [
        go.Scatter(y=np.concatenate([first, lower.to_numpy(float)]), name=name, showlegend=False, **edge),
        go.Scatter(y=np.concatenate([first, upper.to_numpy(float)]), name=name, fill="tonexty", fillcolor=fill, **edge),
    ]


def _outline(x: list[str], start: pd.Series[float], outline: Outline) -> list[go.Scatter]:
    line = {"color": NEUTRAL, "width": 1.4, "dash": "dot"}
    group = {"name": outline.name, "legendgroup": outline.name, "mode": "lines", "line": line, "hoverinfo": "skip"}
    return [
        go.Scatter(x=x, y=np.concatenate([start.to_numpy(float), edge.to_numpy(float)]), showlegend=shown, **group)
        for edge, shown in ((outline.lower, False), (outline.upper, True))
    ]


def _middle(x: list[str], start: pd.Series[float], median: pd.Series[float]) -> go.Scatter:
    """Return the line through the median closes, visible where forecast and actual candles overlap."""
    close = np.concatenate([start.to_numpy(float), median.to_numpy(float)])
    line = {"color": FORECAST, "width": 2}
    return go.Scatter(x=x, y=close, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _mark_cutoff(figure: go.Figure, position: float, name: str) -> None:
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=position, x1=position, xref="x", y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        x=position, y=1, xref="x", yref="paper", text=name, showarrow=False, xanchor="right", yanchor="top", xshift=-4
    )
