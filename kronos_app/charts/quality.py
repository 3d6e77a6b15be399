"""A whole series with everything suspicious marked on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import DOWN, HOLLOW, NEUTRAL, Words, translucent
from kronos_app.data.checks.telling import Mark

MOST_POINTS = 2_000  # a line of more is drawn no finer, only slower
LANE = 22  # pixels
PRICE_HEIGHT = 190
# On the price itself: what is of single candles. Everything else is a stretch, and has a place in its lane alone.
ON_PRICE = {"splits": "diamond", "outliers": "x", "jumps": "triangle-up", "unfinished": "circle-open"}


def quality_chart(close: pd.Series[float], marks: Sequence[Mark], names: Mapping[str, str], words: Words) -> go.Figure:
    """Return the closes over time and, below, a lane for each kind of mark.

    Parameters
    ----------
    close
        By time, ascending.
    marks
        What was found; only kinds with a name are drawn.
    names
        Code of a mark to what the lane is called, from the top lane down.
    words
        The figure's words in the reader's language.
    """
    codes = [code for code in names if any(mark.code == code for mark in marks)]
    drawn = _thinned(close)
    line = go.Scatter(
        x=drawn.index, y=drawn, mode="lines", line={"color": NEUTRAL, "width": 1.2}, name=words.close, showlegend=False
    )
    traces = [line]
    for code in codes:
        places = [mark for mark in marks if mark.code == code]
        traces.append(_lane(places, names[code]))
        if code in ON_PRICE:
            traces.append(_points(close, places, names[code], ON_PRICE[code]))
    share = LANE * len(codes) / (LANE * len(codes) + PRICE_HEIGHT)
    value = {"side": "right", "automargin": True, "gridcolor": translucent(NEUTRAL, 0.22), "zeroline": False}
    layout: dict[str, Any] = {
        "height": PRICE_HEIGHT + LANE * len(codes) + 40,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": HOLLOW,
        "plot_bgcolor": HOLLOW,
        "showlegend": False,
        "dragmode": "pan",
        "hovermode": "closest",
        "xaxis": {"type": "date", "showgrid": False, "anchor": "y2", "nticks": 7},
        "yaxis": value | {"domain": [min(share + 0.04, 1), 1], "title": {"text": words.price}},
        "yaxis2": {
            "domain": [0, share],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [names[code] for code in reversed(codes)],
            "range": [-0.5, len(codes) - 0.5],
            "side": "left",
            "automargin": True,
            "showgrid": True,
            "gridcolor": translucent(NEUTRAL, 0.22),
            "fixedrange": True,
        },
    }
    return go.Figure(traces, layout)


def _lane(marks: Sequence[Mark], name: str) -> go.Scatter:
    """Return one segment a mark, each with both its ends as points, so that a single candle shows, too."""
    times: list[pd.Timestamp | None] = []
    for mark in marks:
        times += [mark.first, mark.last, None]
    return go.Scatter(
        x=times,
        y=[name] * len(times),
        yaxis="y2",
        mode="lines+markers",
        line={"color": DOWN, "width": 7},
        marker={"color": DOWN, "size": 7, "symbol": "square"},
        connectgaps=False,
        name=name,
        hovertemplate="%{x|%Y-%m-%d %H:%M}",
    )


def _points(close: pd.Series[float], marks: Sequence[Mark], name: str, symbol: str) -> go.Scatter:
    found = close.reindex(pd.DatetimeIndex([mark.first for mark in marks]))
    return go.Scatter(
        x=found.index,
        y=found,
        mode="markers",
        marker={"color": DOWN, "size": 9, "symbol": symbol, "line": {"color": DOWN, "width": 1.5}},
        name=name,
        hovertemplate="%{x|%Y-%m-%d %H:%M}: %{y:,.6~g}",
    )


def _thinned(close: pd.Series[float]) -> pd.Series[float]:
    """Return no more than some points: of each stretch the lowest and the highest, so that no spike gets lost."""
    if len(close) <= MOST_POINTS:
        return close
    part = np.arange(len(close)) * (MOST_POINTS // 2) // len(close)
    grouped = pd.Series(close.to_numpy()).groupby(part)
    rows = np.unique(np.r_[0, grouped.idxmin(), grouped.idxmax(), len(close) - 1])
    return close.iloc[rows]
