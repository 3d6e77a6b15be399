"""Candles with volume."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.axes import TimeAxis, panels
from kronos_app.charts.style import HOLLOW, ChartStyle, MarketColours


def candle_chart(
    frame: pd.DataFrame,
    style: ChartStyle,
    *,
    missing: pd.DatetimeIndex | None = None,
    shown: int | None = None,
    log: bool = False,
    height: int = 420,
) -> go.Figure:
    """Return candles with volume below.

    Parameters
    ----------
    frame
        Indexed by time, ascending: `open high low close` and perhaps `volume`.
    missing
        Times of missing candles, which get empty slots; closed hours get none.
    shown, log
        As for `panels`.
    """
    axis = TimeAxis.over(pd.DatetimeIndex(frame.index), missing)
    labels = axis.at(frame.index)
    price = candles(labels, frame, style.history, style.market)
    volume = []
    if has_volume(frame):
        volume.append(volumes(labels, frame, style.history, direction_colours(frame, style.market)))
    figure = panels(axis.labels, style, [price], volume, height=height, shown=shown, log=log)
    figure.layout.showlegend = False
    return figure


def candles(
    labels: list[str], frame: pd.DataFrame, name: str, colours: MarketColours | str, *, opacity: float = 1.0
) -> go.Candlestick:
    """Return a trace of candles, rising ones hollow and falling ones filled; a single colour is for both."""
    up, down = (colours, colours) if isinstance(colours, str) else (colours.up, colours.down)
    return go.Candlestick(
        x=labels,
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        close=frame["close"],
        name=name,
        meta={"read": "candle"},
        opacity=opacity,
        increasing={"line": {"color": up, "width": 1.2}, "fillcolor": HOLLOW},
        decreasing={"line": {"color": down, "width": 1.2}, "fillcolor": down},
    )


def volumes(
    labels: list[str], frame: pd.DataFrame, name: str, colour: str | list[str], opacity: float = 0.55
) -> go.Bar:
    """Return the bars of `volume` for the lower panel, without a legend entry; `name` is that of their candles."""
    return go.Bar(
        x=labels,
        y=frame["volume"],
        yaxis="y2",
        name=name,
        meta={"read": "volume"},
        marker={"color": colour, "line": {"width": 0}},
        opacity=opacity,
        showlegend=False,
    )


def direction_colours(frame: pd.DataFrame, colours: MarketColours) -> list[str]:
    """Return the colour of each candle's direction."""
    return [colours.up if rising else colours.down for rising in frame["close"] >= frame["open"]]


def has_volume(*frames: pd.DataFrame | None) -> bool:
    """Return whether any frame has a positive volume."""
    return any(f is not None and "volume" in f and bool((f["volume"].fillna(0) > 0).any()) for f in frames)
