"""How forecasts stood over time: what their bands held, and how they compared with a random walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import FORECAST, HOLLOW, NEUTRAL, SECOND, translucent


@dataclass(frozen=True)
class LedgerWords:
    """The words of the figure in the reader's language."""

    coverage: str
    promised: str
    allowed: str
    ratio: str
    even: str


def ledger_chart(running: pd.DataFrame, level: float, words: LedgerWords, *, height: int = 420) -> go.Figure:
    """Return the running coverage of one band with what it allows for, and the running CRPS ratio below.

    Parameters
    ----------
    running
        `end apart ratio`, and `share_LEVEL low_LEVEL high_LEVEL`, in the order of `end`.
    level
        Of the band, 0 to 1.
    words
        In the reader's language; the coverage's has the level in it.
    height
        Pixels.
    """
    name = f"{level:g}"
    times = running["end"]
    edge: dict[str, Any] = {"x": times, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    # A single point draws no line.
    mode = "lines+markers" if len(running) < 3 else "lines"
    traces = [
        go.Scatter(y=running[f"low_{name}"], showlegend=False, **edge),
        go.Scatter(
            y=running[f"high_{name}"], name=words.allowed, fill="tonexty", fillcolor=translucent(NEUTRAL, 0.2), **edge
        ),
        _level(times, level, words.promised, "y"),
        go.Scatter(
            x=times,
            y=running[f"share_{name}"],
            name=words.coverage,
            mode=mode,
            line={"color": FORECAST, "width": 2.2},
            hovertemplate="%{y:.0%}",
        ),
        _level(times, 1.0, words.even, "y2"),
        go.Scatter(
            x=times,
            y=running["ratio"],
            name=words.ratio,
            yaxis="y2",
            mode=mode,
            line={"color": SECOND, "width": 2.2},
            hovertemplate="%{y:.2f}",
        ),
    ]
    value = {"side": "right", "automargin": True, "gridcolor": translucent(NEUTRAL, 0.22), "zeroline": False}
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x unified",
        "dragmode": "pan",
        "paper_bgcolor": HOLLOW,
        "plot_bgcolor": HOLLOW,
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None, "traceorder": "normal"},
        "xaxis": {"type": "date", "showgrid": False, "anchor": "y2", "nticks": 7},
        "yaxis": value | {"domain": [0.42, 1], "range": [-0.03, 1.03], "tickformat": ".0%", "nticks": 6},
        "yaxis2": value | {"domain": [0, 0.34], "nticks": 5, "tickformat": ".2f"},
    }
    return go.Figure(traces, layout)


def _level(times: pd.Series[Any], value: float, name: str, axis: str) -> go.Scatter:
    ends = [times.iloc[0], times.iloc[-1]]
    line = {"color": NEUTRAL, "width": 1.2, "dash": "dot"}
    return go.Scatter(x=ends, y=[value, value], yaxis=axis, name=name, mode="lines", line=line, hoverinfo="skip")
