"""Colours, words, layout and axes of all figures.

Backgrounds are transparent and no text colour is set, so a figure fits the light and the dark page. The two market
colours differ for colour-blind readers too (teal and orange), and rising candles are hollow, falling ones filled, so
that direction never depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

UP, DOWN = "#1a9c8c", "#d96a22"
FORECAST, SECOND = "#6f7df2", "#c2559d"
NEUTRAL = "#8593a3"
HOLLOW = "rgba(0,0,0,0)"
MOST_EMPTY = 12  # slots of one gap, however long it is


@dataclass(frozen=True)
class Words:
    """The words of a figure in the language of the reader; `band` contains `{level}`."""

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


def plain_layout(height: int, **more: Any) -> dict[str, Any]:
    """Return the layout of a figure without a frame, its legend above; `more` overrides it."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": HOLLOW,
        "plot_bgcolor": HOLLOW,
        "hovermode": "closest",
        "dragmode": "pan",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None},
        **more,
    }


def translucent(colour: str, opacity: float) -> str:
    """Return `#rrggbb` as an rgba colour.

    >>> translucent("#ff0080", 0.5)
    'rgba(255,0,128,0.5)'
    """
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


VALUE_AXIS: dict[str, Any] = {
    "side": "right",
    "automargin": True,
    "gridcolor": translucent(NEUTRAL, 0.22),
    "zeroline": False,
}
LAYOUT: dict[str, Any] = {
    "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
    "hovermode": "x unified",
    "dragmode": "pan",
    "paper_bgcolor": HOLLOW,
    "plot_bgcolor": HOLLOW,
    "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None},
}


@dataclass(frozen=True)
class TimeAxis:
    """The slots of a time axis, one per candle and per missing candle: labels in order, and by time."""

    labels: list[str]
    of: Mapping[pd.Timestamp, str]

    @classmethod
    def over(cls, timestamps: pd.DatetimeIndex, missing: pd.DatetimeIndex | None = None) -> Self:
        """Return the axis of candles at `timestamps`, with up to `MOST_EMPTY` slots per gap.

        Parameters
        ----------
        missing
            Times of candles that are missing by the calendar; closed hours have no slots.
        """
        times = timestamps.unique().sort_values()
        if missing is not None and len(missing) and len(times):
            inside = missing[(missing > times[0]) & (missing < times[-1]) & ~missing.isin(times)].unique().sort_values()
            gap = pd.Series(times.searchsorted(inside))
            times = times.union(inside[(gap.groupby(gap).cumcount() < MOST_EMPTY).to_numpy()])
        labels = time_labels(times)
        return cls(labels, dict(zip(times, labels, strict=True)))

    def at(self, timestamps: pd.Index[Any]) -> list[str]:
        """Return the labels of candles."""
        return [self.of[time] for time in timestamps]


def time_labels(timestamps: pd.DatetimeIndex) -> list[str]:
    """Return one label per candle, unique and ascending as text: the date, and the time if any candle has one."""
    intraday = bool((timestamps != timestamps.normalize()).any())
    return [str(label) for label in timestamps.strftime("%Y-%m-%d %H:%M" if intraday else "%Y-%m-%d")]


def panels(
    labels: list[str],
    words: Words,
    price: Sequence[BaseTraceType],
    volume: Sequence[BaseTraceType] = (),
    *,
    height: int,
) -> go.Figure:
    """Return a figure with the price above and the volume, if any, below; one slot per label.

    The time axis has categories, so that nights, weekends and holidays take no room.
    """
    time = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": labels,
        "nticks": 5 if labels and ":" in labels[0] else 7,  # a label with hours is wide
        "showgrid": False,
        "range": [-0.5, len(labels) - 0.5],
        "rangeslider": {"visible": False},
    }
    layout = LAYOUT | {
        "height": height,
        "barmode": "overlay",
        "bargap": 0.25,
        "xaxis": time,
        "yaxis": VALUE_AXIS | {"title": {"text": words.price}},
    }
    if volume:
        layout["xaxis"] = time | {"matches": "x2", "showticklabels": False}
        layout["xaxis2"] = time | {"anchor": "y2"}
        layout["yaxis"] |= {"domain": [0.25, 1]}
        layout["yaxis2"] = VALUE_AXIS | {
            "title": {"text": words.volume},
            "domain": [0, 0.21],
            "anchor": "x2",
            "nticks": 4,
            "rangemode": "tozero",
        }
    # in one call: plotly validates the figure again after each later change
    return go.Figure([*price, *volume], layout)


def candles(
    labels: list[str],
    frame: pd.DataFrame,
    name: str,
    colours: tuple[str, str],
    words: Words,
    *,
    opacity: float = 1.0,
) -> go.Candlestick:
    """Return a trace of candles, rising ones hollow and falling ones filled; `colours` are for up and down."""
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
    """Return the bars of `volume` for the lower panel, without a legend entry."""
    return go.Bar(
        x=labels,
        y=frame["volume"],
        xaxis="x2",
        yaxis="y2",
        name=name,
        marker={"color": colour, "line": {"width": 0}},
        opacity=opacity,
        showlegend=False,
    )


def direction_colours(frame: pd.DataFrame) -> list[str]:
    """Return the colour of each candle's direction."""
    return [UP if rising else DOWN for rising in frame["close"] >= frame["open"]]


def has_volume(*frames: pd.DataFrame | None) -> bool:
    """Return whether any frame has a positive volume."""
    return any(f is not None and "volume" in f and bool((f["volume"].fillna(0) > 0).any()) for f in frames)
