"""Candles with volume."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import (
    DOWN,
    UP,
    TimeAxis,
    Words,
    candles,
    direction_colours,
    has_volume,
    panels,
    volumes,
)


def candle_chart(
    frame: pd.DataFrame, words: Words, *, missing: pd.DatetimeIndex | None = None, height: int = 420
) -> go.Figure:
    """Return candles with volume below.

    Parameters
    ----------
    frame
        Indexed by time, ascending: `open high low close` and perhaps `volume`.
    missing
        Times of missing candles, which get empty slots; closed hours get none.
    """
    axis = TimeAxis.over(pd.DatetimeIndex(frame.index), missing)
    labels = axis.at(frame.index)
    price = candles(labels, frame, words.history, (UP, DOWN), words)
    volume = [volumes(labels, frame, words.volume, direction_colours(frame))] if has_volume(frame) else []
    figure = panels(axis.labels, words, [price], volume, height=height)
    figure.layout.showlegend = False
    return figure
