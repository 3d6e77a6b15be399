"""A series with all findings marked on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import NEUTRAL, ORANGE, VALUE_AXIS, ChartStyle, plain_layout, translucent
from kronos_app.data.checks.findings import Mark

MOST_POINTS = 2_000  # more than a screen shows
LANE = 22  # pixels
PRICE_HEIGHT = 190
# Findings of single candles are marked on the price too, with these symbols; stretches have a lane only.
ON_PRICE = {"splits": "diamond", "outliers": "x", "jumps": "triangle-up", "unfinished": "circle-open"}


def quality_chart(
    close: pd.Series[float], marks: Sequence[Mark], names: Mapping[str, str], style: ChartStyle
) -> go.Figure:
    """Return the closes over time and, below, a lane for each kind of finding.

    Parameters
    ----------
    close
        By time, ascending.
    names
        Code of a mark to the name of its lane, from the top down; marks without a name are left out.
    """
    codes = [code for code in names if any(mark.code == code for mark in marks)]
    thinned = _thin_out(close)
    line = {"color": NEUTRAL, "width": 1.2}
    traces = [go.Scatter(x=thinned.index, y=thinned, mode="lines", line=line, name=style.close, showlegend=False)]
    for code in codes:
        places = [mark for mark in marks if mark.code == code]
        traces.append(_lane(places, names[code]))
        if code in ON_PRICE:
            traces.append(_points(close, places, names[code], ON_PRICE[code]))
    share = LANE * len(codes) / (LANE * len(codes) + PRICE_HEIGHT)
    lanes = [names[code] for code in reversed(codes)]
    layout = plain_layout(
        PRICE_HEIGHT + LANE * len(codes) + 40,
        showlegend=False,
        xaxis={"type": "date", "showgrid": False, "anchor": "y2", "nticks": 7},
        yaxis=VALUE_AXIS | {"domain": [min(share + 0.04, 1), 1], "title": {"text": style.price}},
        yaxis2={
            "domain": [0, share],
            "type": "category",
            "categoryorder": "array",
            "categoryarray": lanes,
            "range": [-0.5, len(codes) - 0.5],
            "side": "left",
            "automargin": True,
            "showgrid": True,
            "gridcolor": translucent(NEUTRAL, 0.22),
            "fixedrange": True,
        },
    )
    return go.Figure(traces, layout)


def _lane(marks: Sequence[Mark], name: str) -> go.Scatter:
    """Return one segment per mark, with its ends as points so that a single candle is visible."""
    times: list[pd.Timestamp | None] = []
    for mark in marks:
        times += [mark.first, mark.last, None]
    return go.Scatter(
        x=times,
        y=[name] * len(times),
        yaxis="y2",
        mode="lines+markers",
        line={"color": ORANGE, "width": 7},
        marker={"color": ORANGE, "size": 7, "symbol": "square"},
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
        marker={"color": ORANGE, "size": 9, "symbol": symbol, "line": {"color": ORANGE, "width": 1.5}},
        name=name,
        hovertemplate="%{x|%Y-%m-%d %H:%M}: %{y:,.6~g}",
    )


def _thin_out(close: pd.Series[float]) -> pd.Series[float]:
    """Return at most `MOST_POINTS` points: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(close) <= MOST_POINTS:
        return close
    part = np.arange(len(close)) * (MOST_POINTS // 2) // len(close)
    grouped = pd.Series(close.to_numpy()).groupby(part)
    rows = np.unique(np.r_[0, grouped.idxmin(), grouped.idxmax(), len(close) - 1])
    return close.iloc[rows]
