"""Colours, words and axes that all figures share.

Backgrounds stay transparent and no text colour is set, so a figure follows the light or dark page it is drawn on. The
two market colours differ for colour-blind readers too (teal and orange), and rising candles are hollow, falling ones
filled, so that direction never hangs on colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

UP, DOWN = "#1a9c8c", "#d96a22"
FORECAST, SECOND = "#6f7df2", "#c2559d"
NEUTRAL = "#8593a3"
HOLLOW = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Words:
    """The words of a figure in the reader's language; `band` contains `{level}`."""

    history: str
    forecast: str
    actual: str
    band: str
    price: str
    volume: str
    cutoff: str
    open: str
    high: str
    low: str
    close: str


def translucent(colour: str, opacity: float) -> str:
    """Return `#rrggbb` as an rgba colour.

    >>> translucent("#ff0080", 0.5)
    'rgba(255,0,128,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def time_labels(timestamps: pd.DatetimeIndex) -> list[str]:
    """Return one label a candle, unique and ascending as text: the date, and the time where any candle has one."""
    intraday = bool((timestamps != timestamps.normalize()).any())
    return [str(label) for label in timestamps.strftime("%Y-%m-%d %H:%M" if intraday else "%Y-%m-%d")]


def price_and_volume(labels: list[str], words: Words, *, volume: bool, height: int) -> go.Figure:
    """Return an empty figure: price above, volume below where there is any, one slot a candle.

    The time axis is one of categories: nights, weekends and holidays take no room, and its ticks thin out by
    themselves.
    """
    rows = 2 if volume else 1
    shares = [0.78, 0.22] if volume else [1.0]
    figure = make_subplots(rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.04, row_heights=shares)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        hovermode="x unified",
        dragmode="pan",
        paper_bgcolor=HOLLOW,
        plot_bgcolor=HOLLOW,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None},
        xaxis_rangeslider_visible=False,
        bargap=0.25,
    )
    figure.update_xaxes(
        type="category",
        categoryorder="array",
        categoryarray=labels,
        nticks=7,
        showgrid=False,
        range=[-0.5, len(labels) - 0.5],
    )
    figure.update_yaxes(side="right", automargin=True, gridcolor=translucent(NEUTRAL, 0.22), zeroline=False)
    figure.update_yaxes(title_text=words.price, row=1, col=1)
    if volume:
        figure.update_yaxes(title_text=words.volume, nticks=4, rangemode="tozero", row=2, col=1)
    return figure


def candles(
    labels: list[str],
    frame: pd.DataFrame,
    name: str,
    colours: tuple[str, str],
    words: Words,
    *,
    opacity: float = 1.0,
) -> go.Candlestick:
    """Return one trace of candles, rising ones hollow and falling ones filled; `colours` are those of up and down."""
    up, down = colours
    names = {"open": words.open, "high": words.high, "low": words.low, "close": words.close}
    return go.Candlestick(
        x=labels,
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        close=frame["close"],
        name=name,
        hovertemplate="<br>".join(f"{word}: %{{{column}:,.6~g}}" for column, word in names.items()),
        opacity=opacity,
        increasing={"line": {"color": up, "width": 1.2}, "fillcolor": HOLLOW},
        decreasing={"line": {"color": down, "width": 1.2}, "fillcolor": down},
    )


def volumes(
    labels: list[str], frame: pd.DataFrame, name: str, colour: str | list[str], opacity: float = 0.55
) -> go.Bar:
    """Return the bars of a frame's `volume`, kept out of the legend."""
    return go.Bar(
        x=labels,
        y=frame["volume"],
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        opacity=opacity,
        showlegend=False,
    )


def direction_colours(frame: pd.DataFrame) -> list[str]:
    """Return the colour of each candle's direction."""
    return [UP if rising else DOWN for rising in frame["close"] >= frame["open"]]


def has_volume(*frames: pd.DataFrame | None) -> bool:
    """Return whether any frame brings a volume worth drawing."""
    return any(f is not None and "volume" in f and bool((f["volume"].fillna(0) > 0).any()) for f in frames)
