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
    panels,
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
    price = candles(labels, frame, words.history, (UP, DOWN), words)
    volume = [volumes(labels, frame, words.volume, direction_colours(frame))] if has_volume(frame) else []
    figure = panels(labels, words, [price], volume, height=height)
    figure.layout.showlegend = False
    return figure
