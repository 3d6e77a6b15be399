"""Several series on one scale: each is 100 at the first time that all have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.axes import panels, time_labels
from kronos_app.charts.style import FORECAST, NEUTRAL, ORANGE, SECOND, TEAL, ChartStyle

START = 100.0
MOST_POINTS = 1_500  # per line: more than a screen has pixels
COLOURS = (FORECAST, ORANGE, TEAL, SECOND, NEUTRAL)
DASHES = ("solid", "dash")  # tells lines of the same colour apart


def normalise(closes: Mapping[str, pd.Series[float]]) -> pd.DataFrame:
    """Return the closes side by side, each 100 at the first time that all have.

    Between its candles a series keeps its last close, so that markets with different hours and holidays can be
    compared; before its first and after its last candle it has no value. Series that do not overlap are 100 at their
    own starts.

    Parameters
    ----------
    closes
        By name: closes indexed by time, ascending, all in one time zone.
    """
    table = pd.concat(dict(closes), axis=1, sort=True)
    ended = table.bfill().isna()
    table = table.ffill().mask(ended)
    begun = table.notna().all(axis=1)
    if begun.any():
        table = table[table.index >= begun.idxmax()]
        return table / table.iloc[0] * START
    first = table.bfill().iloc[0]
    return table / first * START


def compare_chart(table: pd.DataFrame, style: ChartStyle, *, log: bool = False, height: int = 420) -> go.Figure:
    """Return one line per column of `table`, the result of `normalise`; `style.price` names the scale."""
    if len(table) > MOST_POINTS:
        table = table.iloc[np.unique(np.linspace(0, len(table) - 1, MOST_POINTS).round().astype(int))]
    labels = time_labels(pd.DatetimeIndex(table.index))
    lines = [
        go.Scatter(
            x=labels,
            y=table[name],
            name=str(name),
            mode="lines",
            line={"color": COLOURS[n % len(COLOURS)], "dash": DASHES[n // len(COLOURS) % len(DASHES)], "width": 1.8},
        )
        for n, name in enumerate(table)
    ]
    figure = panels(labels, style, lines, height=height, log=log)
    start = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, x1=1, xref="paper", y0=START, y1=START, line=start, layer="below")
    return figure
