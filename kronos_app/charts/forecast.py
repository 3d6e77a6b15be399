"""A forecast after its history, with its bands and its actual candles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from kronos_app.charts.axes import TimeAxis, label_ends, panels
from kronos_app.charts.candles import candles, direction_colours, has_volume, volumes
from kronos_app.charts.style import FORECAST, NEUTRAL, ChartStyle, translucent

BANDS: dict[int, tuple[float, float]] = {90: (0.05, 0.95), 80: (0.1, 0.9), 50: (0.25, 0.75)}
FILLS = {90: 0.1, 80: 0.12, 50: 0.2}
EDGES = {90: "dot", 80: "dash", 50: "solid"}


@dataclass(frozen=True, eq=False)
class Outline:
    """The edges of a band as dotted lines, for comparison with the filled bands."""

    name: str
    lower: pd.Series[float]
    upper: pd.Series[float]


def forecast_chart(
    history: pd.DataFrame,
    ahead: pd.DataFrame,
    quantiles: Mapping[float, pd.DataFrame],
    style: ChartStyle,
    *,
    actual: pd.DataFrame | None = None,
    missing: pd.DatetimeIndex | None = None,
    outline: Outline | None = None,
    shown: int | None = None,
    log: bool = False,
    height: int = 460,
) -> go.Figure:
    """Return history, the candles that stand for the forecast, the bands of the close and the actual candles.

    Parameters
    ----------
    history
        Indexed by time: `open high low close` and perhaps `volume`; its last row is the cutoff. May be empty.
    ahead
        Indexed by time: the candles that stand for the forecast; `style.forecast` is their name.
    quantiles
        Level to frame as `ahead`; must have 0.5 and the levels of `BANDS`.
    actual
        As `history`; only times of `ahead`.
    missing
        Times of missing candles, which get empty slots; closed hours get none.
    outline
        A band to compare the others with.
    shown, log
        As for `panels`.
    """
    axis = TimeAxis.over(pd.DatetimeIndex([*history.index, *ahead.index]), missing)
    past, future = axis.at(history.index), axis.at(ahead.index)
    x, start = past[-1:] + future, history["close"].tail(1)
    known = actual if actual is not None and not actual.empty else None
    opacity = 0.85 if known is None else 0.5  # actual candles are drawn over the forecast
    price: list[BaseTraceType] = []
    for level, (low, high) in BANDS.items():
        lower, upper, name = quantiles[low]["close"], quantiles[high]["close"], style.band.format(level=level)
        price += band_traces(x, start, lower, upper, name, FILLS[level], edge=EDGES[level])
    price.append(candles(past, history, style.history, style.market))
    if outline is not None:
        price += _outline(x, start, outline)
    price.append(candles(future, ahead, style.forecast, FORECAST, opacity=opacity))
    price.append(_middle(x, start, quantiles[0.5]["close"], style.median))
    if known is not None:
        price.append(candles(axis.at(known.index), known, style.actual, style.market))
    volume = _volume_bars(axis, history, ahead, known, style) if has_volume(history, actual) else []
    figure = panels(axis.labels, style, price, volume, height=height, shown=shown, log=log, labelled=True)
    levels = {style.median: 0.5} | {f"{level} %": high for level, (_, high) in BANDS.items()}
    label_ends(figure, {text: float(quantiles[level]["close"].iloc[-1]) for text, level in levels.items()})
    if past:
        _mark_cutoff(figure, axis.labels.index(past[-1]) + 0.5, style.cutoff)
    return figure


def _volume_bars(
    axis: TimeAxis, history: pd.DataFrame, ahead: pd.DataFrame, known: pd.DataFrame | None, style: ChartStyle
) -> list[BaseTraceType]:
    """Return the volumes of history, forecast and actual candles, of those that have any."""
    bars = [volumes(axis.at(history.index), history, style.history, direction_colours(history, style.market))]
    if "volume" in ahead:
        bars.append(volumes(axis.at(ahead.index), ahead, style.forecast, FORECAST, 0.45))
    if known is not None and "volume" in known:
        bars.append(volumes(axis.at(known.index), known, style.actual, direction_colours(known, style.market)))
    return bars


def band_traces(
    x: list[str],
    start: pd.Series[float] | None,
    lower: pd.Series[float],
    upper: pd.Series[float],
    name: str,
    opacity: float,
    colour: str = FORECAST,
    edge: str | None = None,
) -> list[go.Scatter]:
    """Return the two edges of a band, the second filled down to the first, both starting at `start`."""
    first = [] if start is None else start.to_list()
    line = {"width": 0} if edge is None else {"width": 1, "dash": edge, "color": translucent(colour, 0.7)}
    common = {"x": x, "mode": "lines", "line": line, "name": name, "showlegend": False}
    low, high = (np.concatenate([first, side.to_numpy(float)]) for side in (lower, upper))
    return [
        go.Scatter(y=low, meta={"read": "low"}, **common),
        go.Scatter(y=high, meta={"read": "high"}, fill="tonexty", fillcolor=translucent(colour, opacity), **common),
    ]


def _outline(x: list[str], start: pd.Series[float], outline: Outline) -> list[go.Scatter]:
    low, high = band_traces(x, start, outline.lower, outline.upper, outline.name, 0)
    line = {"color": NEUTRAL, "width": 1.4, "dash": "dot"}
    low.update(line=line, legendgroup=outline.name)
    high.update(line=line, legendgroup=outline.name, fill=None, showlegend=True)
    return [low, high]


def _middle(x: list[str], start: pd.Series[float], median: pd.Series[float], name: str) -> go.Scatter:
    """Return the line through the median closes."""
    close = np.concatenate([start.to_numpy(float), median.to_numpy(float)])
    line = {"color": FORECAST, "width": 1.5}
    return go.Scatter(x=x, y=close, mode="lines", line=line, name=name, showlegend=False)


def _mark_cutoff(figure: go.Figure, position: float, name: str) -> None:
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=position, x1=position, xref="x", y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        x=position,
        y=0,
        xref="x",
        yref="y domain",
        text=name,
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        xshift=-4,
    )
