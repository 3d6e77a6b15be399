"""A series as it is."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import (
    DOWN,
    UP,
    Words,
    candles,
    direction_colours,
    has_volume,
    price_and_volume,
    time_labels,
    volumes,
)


def candle_chart(frame: pd.DataFrame, words: Words, *, height: int = 420) -> go.Figure:
    """Return candles with volume below.

    Parameters
    ----------
    frame
        Indexed by time, ascending: `open high low close` and perhaps `volume`.
    words
        The figure's words in the reader's language.
    height
        Pixels.
    """
    labels = time_labels(pd.DatetimeIndex(frame.index))
    volume = has_volume(frame)
    figure = price_and_volume(labels, words, volume=volume, height=height)
    figure.add_trace(candles(labels, frame, words.history, (UP, DOWN), words), row=1, col=1)
    if volume:
        figure.add_trace(volumes(labels, frame, words.volume, direction_colours(frame)), row=2, col=1)
    figure.update_layout(showlegend=False)
    return figure
