"""The ledger over time: coverage of a band, and the CRPS ratio to a random walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import FORECAST, LEGEND, NEUTRAL, SECOND, VALUE_AXIS, plain_layout, translucent

SINGLE = pd.Timedelta(days=1)  # of the time axis before and after a single point
FEW = 2  # so many times are the ticks themselves


@dataclass(frozen=True)
class LedgerWords:
    """The words of the figure in the language of the reader; `coverage` names the level."""

    coverage: str
    nominal: str
    chance: str
    ratio: str
    equal: str


def ledger_chart(running: pd.DataFrame, level: float, words: LedgerWords, *, height: int = 420) -> go.Figure:
    """Return the running coverage of the band of `level` with its range by chance, and the CRPS ratio below.

    Parameters
    ----------
    running
        Of `running_figures`: `end apart ratio`, and `share_LEVEL low_LEVEL high_LEVEL`, in the order of `end`.
    """
    name = f"{level:g}"
    times = running["end"]
    begin, finish = _span(times)
    edge: dict[str, Any] = {"x": times, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    mode = "lines+markers" if len(running) < 3 else "lines"  # a single point has no line
    traces = [
        go.Scatter(y=running[f"low_{name}"], showlegend=False, **edge),
        go.Scatter(
            y=running[f"high_{name}"], name=words.chance, fill="tonexty", fillcolor=translucent(NEUTRAL, 0.2), **edge
        ),
        _reference_line((begin, finish), level, words.nominal, "y"),
        go.Scatter(
            x=times,
            y=running[f"share_{name}"],
            name=words.coverage,
            mode=mode,
            line={"color": FORECAST, "width": 2.2},
            hovertemplate="%{y:.0%}",
        ),
        _reference_line((begin, finish), 1.0, words.equal, "y2"),
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
    layout = plain_layout(
        height,
        hovermode="x unified",
        legend=LEGEND | {"traceorder": "normal"},
        xaxis=_time_axis(times, begin, finish),
        yaxis=VALUE_AXIS | {"domain": [0.42, 1], "range": [-0.03, 1.03], "tickformat": ".0%", "nticks": 6},
        yaxis2=VALUE_AXIS | {"domain": [0, 0.34], "nticks": 5, "tickformat": ".2f"},
    )
    return go.Figure(traces, layout)


def _span(times: pd.Series[Any]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the ends of the time axis: those of the points, or a day around a single one."""
    first, last = times.iloc[0], times.iloc[-1]
    return (first - SINGLE, last + SINGLE) if first == last else (first, last)


def _time_axis(times: pd.Series[Any], begin: pd.Timestamp, finish: pd.Timestamp) -> dict[str, Any]:
    """Return the time axis; few points are its ticks, Plotly would divide the time around one into milliseconds."""
    axis: dict[str, Any] = {"type": "date", "showgrid": False, "anchor": "y2", "nticks": 7}
    points = times.drop_duplicates()
    if len(points) > FEW:
        return axis
    ticks = {"tickvals": points.to_list(), "tickformat": "%Y-%m-%d %H:%M"}
    return axis | ticks | ({"range": [begin, finish]} if len(points) == 1 else {})


def _reference_line(ends: tuple[pd.Timestamp, pd.Timestamp], value: float, name: str, axis: str) -> go.Scatter:
    line = {"color": NEUTRAL, "width": 1.2, "dash": "dot"}
    return go.Scatter(x=ends, y=[value, value], yaxis=axis, name=name, mode="lines", line=line, hoverinfo="skip")
