"""Losses, learning rate and gradient norm of a run, and the losses of several runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import FORECAST, HOLLOW, NEUTRAL, ORANGE, SECOND, TEAL, translucent

MOST_POINTS = 1_500  # of each line; more only slow the browser down
COLOURS = (FORECAST, ORANGE, TEAL, SECOND, NEUTRAL)
DASHES = ("solid", "dash")  # colours repeat with another dash


@dataclass(frozen=True)
class CurveWords:
    """The words of the figures."""

    step: str
    training: str
    validation: str
    rate: str
    norm: str


def curves_chart(log: pd.DataFrame, words: CurveWords, *, apart: bool = False, height: int = 460) -> go.Figure:
    """Return the losses above, and learning rate and gradient norm side by side below.

    Parameters
    ----------
    log
        Of one stage: `step`, and `loss learning_rate gradient_norm validation_loss`, empty where a row has none.
    words
        In the reader's language.
    apart
        The two losses are not comparable: the training loss gets its own scale at the left.
    height
        Pixels.
    """
    grey = {"color": translucent(NEUTRAL, 0.9), "width": 1.4}
    traces = [
        _line(log, "loss", words.training, grey, scale="4" if apart else ""),
        _line(log, "validation_loss", words.validation, {"color": FORECAST, "width": 2.2}, markers=True),
        _line(log, "learning_rate", words.rate, {"color": TEAL, "width": 1.6}, axis="2"),
        _line(log, "gradient_norm", words.norm, {"color": ORANGE, "width": 1.2}, axis="3"),
    ]
    value = {"side": "right", "automargin": True, "gridcolor": translucent(NEUTRAL, 0.22), "zeroline": False}
    step = {"showgrid": False, "nticks": 6, "zeroline": False}
    layout = _layout(height) | {
        "xaxis": step | {"anchor": "y"},
        "yaxis": value | {"domain": [0.42, 1]},
        "xaxis2": step | {"anchor": "y2", "domain": [0, 0.44], "title": {"text": words.step}, "matches": "x"},
        "yaxis2": value | {"domain": [0, 0.28], "anchor": "x2", "nticks": 4, "exponentformat": "e"},
        "xaxis3": step | {"anchor": "y3", "domain": [0.54, 1], "title": {"text": words.step}, "matches": "x"},
        "yaxis3": value | {"domain": [0, 0.28], "anchor": "x3", "nticks": 4},
    }
    if apart:
        layout["yaxis4"] = {"overlaying": "y", "side": "left", "automargin": True, "showgrid": False, "zeroline": False}
    return go.Figure(traces, layout)


def overlay_losses(
    logs: Mapping[str, pd.DataFrame], words: CurveWords, *, apart: bool = False, height: int = 420
) -> go.Figure:
    """Return the losses of several runs: validation as lines, training as faint lines behind.

    Parameters
    ----------
    logs
        By name of the run, as for `curves_chart`.
    words
        In the reader's language.
    apart
        The two losses are not comparable: only validation is drawn.
    height
        Pixels.
    """
    traces: list[go.Scatter] = []
    for number, (name, log) in enumerate(logs.items()):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        faint = {"color": translucent(colour, 0.4), "width": 1.2, "dash": "dot"}
        training = _line(log, "loss", f"{name} · {words.training}", faint)
        validation = _line(
            log,
            "validation_loss",
            f"{name} · {words.validation}",
            {"color": colour, "width": 2.2, "dash": dash},
            markers=True,
        )
        traces += [validation] if apart else [training, validation]
    layout = _layout(height) | {
        "xaxis": {"title": {"text": words.step}, "showgrid": False, "zeroline": False},
        "yaxis": {"side": "right", "automargin": True, "gridcolor": translucent(NEUTRAL, 0.22), "zeroline": False},
    }
    return go.Figure(traces, layout)


def _line(
    log: pd.DataFrame,
    column: str,
    name: str,
    line: dict[str, Any],
    *,
    markers: bool = False,
    axis: str = "",
    scale: str = "",
) -> go.Scatter:
    """Return a column by step, without empty rows, thinned to `MOST_POINTS`."""
    rows = log[["step", column]].dropna() if column in log else pd.DataFrame({"step": [], column: []})
    if len(rows) > MOST_POINTS:
        rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MOST_POINTS).round().astype(int))]
    # A single point draws no line.
    mode = "lines+markers" if markers or len(rows) < 2 else "lines"
    return go.Scatter(
        x=rows["step"],
        y=rows[column],
        xaxis=f"x{axis}",
        yaxis=f"y{scale or axis}",
        name=name,
        mode=mode,
        line=line,
        marker={"size": 5},
        hovertemplate="%{y:.4~g}",
    )


def _layout(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "hovermode": "x unified",
        "dragmode": "pan",
        "showlegend": True,  # also of a single line
        "paper_bgcolor": HOLLOW,
        "plot_bgcolor": HOLLOW,
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0, "title": None, "traceorder": "normal"},
    }
