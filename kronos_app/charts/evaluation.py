"""The accuracy of forecasts: CRPS by step, coverage, PIT, calibration of P(up), and single cutoffs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kronos_app.charts.axes import TimeAxis, label_ends, panels
from kronos_app.charts.candles import candles
from kronos_app.charts.forecast import band_traces
from kronos_app.charts.style import (
    FORECAST,
    LEGEND,
    NEUTRAL,
    ORANGE,
    SECOND,
    TEAL,
    ChartStyle,
    plain_layout,
    translucent,
)

MODELS = (FORECAST, SECOND, TEAL, ORANGE)  # colours of the models, in their order
BANDS = (("95", 0.08), ("90", 0.1), ("80", 0.12), ("50", 0.18))  # level, opacity; the widest first
HEIGHT, PANEL = 320, 200  # pixels of one panel, and of each further one
TITLE = 32  # pixels of a panel's title, above which the legend is
LONG_GAP = 4  # times the usual gap between periods


@dataclass(frozen=True)
class EvaluationWords:
    """The words of the figures in the reader's language."""

    step: str
    crps: str
    place: str
    share: str
    ideal: str
    nominal: str
    observed: str
    probability: str
    frequency: str
    until: str


def steps_chart(
    steps: Mapping[str, Sequence[float]], models: Sequence[str], names: Mapping[str, str], words: EvaluationWords
) -> go.Figure:
    """Return the CRPS by step: models in colour, baselines thin and grey.

    Parameters
    ----------
    steps
        Forecaster to its CRPS from step 1 on.
    names
        Forecaster to its displayed name.
    """
    traces = []
    for name in sorted(steps, key=lambda name: name in models):
        model, x = name in models, list(range(1, len(steps[name]) + 1))
        mode = "lines+markers" if len(x) == 1 else "lines"
        line = {"color": _colour(name, models), "width": 2.4 if model else 1}
        traces.append(go.Scatter(x=x, y=list(steps[name]), mode=mode, name=names[name], line=line, showlegend=model,
                                 opacity=1 if model else 0.6,
                                 hovertemplate="%{fullData.name}: %{y:.3f}<extra></extra>"))  # fmt: skip
    return go.Figure(traces, _layout(words.step, words.crps))


def pit_chart(
    shares: Mapping[str, Sequence[float]], models: Sequence[str], names: Mapping[str, str], words: EvaluationWords
) -> go.Figure:
    """Return the PIT histogram: the share of actual closes in each tenth of the forecast; flat is ideal."""
    count = len(next(iter(shares.values())))
    middles = [(i + 0.5) / count for i in range(count)]
    traces: list[Any] = [
        go.Bar(x=middles, y=list(bars), name=names[name], marker={"color": _colour(name, models)}, opacity=0.8)
        for name, bars in shares.items()
    ]
    traces.append(_line([0.0, 1.0], [1 / count] * 2, words.ideal))
    layout = _layout(words.place, words.share, percent=True, tickformat=".0%", range=[0, 1], dtick=0.2)
    return go.Figure(traces, layout | {"barmode": "group", "bargap": 0.15})


def coverage_chart(
    coverage: Mapping[str, Mapping[str, float]], models: Sequence[str], names: Mapping[str, str], words: EvaluationWords
) -> go.Figure:
    """Return observed against nominal coverage, by forecaster and level in percent; on the dotted line they agree."""
    traces = [
        _points([float(level) / 100 for level in shares], list(shares.values()), name, models, names)
        for name, shares in coverage.items()
    ]
    levels = {"tickformat": ".0%", "range": [0.4, 1.02], "tickvals": [0.5, 0.8, 0.9, 0.95]}
    layout = _layout(words.nominal, words.observed, percent=True, **levels)
    return go.Figure([_line([0.4, 1.0], [0.4, 1.0], words.ideal), *traces], layout)


def reliability_chart(
    points: Mapping[str, Sequence[Sequence[float]]],
    models: Sequence[str],
    names: Mapping[str, str],
    words: EvaluationWords,
) -> go.Figure:
    """Return the observed frequency of a rise against the forecast P(up); a point is `probability frequency count`."""
    traces = []
    for name, values in points.items():
        probabilities, frequencies, counts = zip(*values, strict=True)
        sizes = [6 + 14 * (count / max(1, *counts)) ** 0.5 for count in counts]
        trace = _points(probabilities, frequencies, name, models, names)
        trace.update(marker={"size": sizes}, customdata=[int(count) for count in counts])
        trace.update(hovertemplate="%{fullData.name}: %{x:.0%} → %{y:.0%} (%{customdata})<extra></extra>")
        traces.append(trace)
    layout = _layout(words.probability, words.frequency, percent=True, tickformat=".0%", range=[-0.02, 1.02])
    layout["yaxis"] |= {"range": [-0.02, 1.02]}
    return go.Figure([_line([0.0, 1.0], [0.0, 1.0], words.ideal), *traces], layout)


def coverage_over_time_chart(
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    level: str,
    models: Sequence[str],
    names: Mapping[str, str],
    words: EvaluationWords,
) -> go.Figure:
    """Return the coverage of one band in successive periods, by model; each market has its own panel and time axis.

    Lines break where no cutoff lies for long. Reports of earlier versions do not name the market.
    """
    markets = list(dict.fromkeys(period.get("market", "") for periods in rows.values() for period in periods))
    count = len(markets)
    titles = markets if count > 1 else None
    figure = make_subplots(rows=count, cols=1, subplot_titles=titles, vertical_spacing=0.3 / count)
    for row, market in enumerate(markets, 1):
        traces = []
        for name, periods in rows.items():
            own = _with_breaks([period for period in periods if period.get("market", "") == market])
            x = [pd.Timestamp(period["until"]) for period in own]
            trace = _points(x, [period[f"coverage_{level}"] for period in own], name, models, names)
            trace.update(customdata=[period["cutoffs"] for period in own], legendgroup=name, showlegend=row == 1)
            trace.update(hovertemplate="%{x|%Y-%m-%d}: %{y:.0%} (%{customdata})<extra>%{fullData.name}</extra>")
            traces.append(trace)
        times = sorted(time for trace in traces for time in trace.x)
        ideal = _line([times[0], times[-1]], [float(level) / 100] * 2, words.ideal)
        ideal.update(legendgroup=words.ideal, showlegend=row == 1)
        figure.add_traces([ideal, *traces], rows=row, cols=1)
    layout = _layout(words.until, words.observed, percent=True, type="date", nticks=6)
    xaxis, yaxis = layout.pop("xaxis"), layout.pop("yaxis")
    height = HEIGHT + PANEL * (count - 1)
    above = LEGEND["y"] if count == 1 else 1 + TITLE / height
    figure.update_layout(layout | {"height": height, "legend": LEGEND | {"y": above}})
    figure.update_xaxes(xaxis | {"title": None})
    figure.update_xaxes(title=xaxis["title"], row=count)
    return figure.update_yaxes(yaxis | {"range": [0, 1.02]})


def _with_breaks(periods: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return periods with an empty one in each gap that is much longer than the others: lines break there."""
    times = [pd.Timestamp(period["until"]) for period in periods]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    usual = sorted(gaps)[len(gaps) // 2] if gaps else pd.Timedelta(0)
    rows: list[Mapping[str, Any]] = []
    for period, gap in zip(periods, [*gaps, pd.Timedelta(0)], strict=True):
        rows.append(period)
        if gap > LONG_GAP * usual:
            rows.append({**period, **dict.fromkeys(name for name in period if name.startswith("coverage_"))})
    return rows


def cutoff_chart(
    history: pd.DataFrame, actual: pd.DataFrame, bands: pd.DataFrame, style: ChartStyle, *, height: int = 420
) -> go.Figure:
    """Return the candles before and after a cutoff with the forecast bands of the close.

    Parameters
    ----------
    history, actual
        Indexed by time: `open high low close`.
    bands
        Indexed by the times forecast: `median`, and `low_LEVEL`, `high_LEVEL` of the levels in `BANDS`.
    """
    axis = TimeAxis.over(pd.DatetimeIndex([*history.index, *actual.index.union(bands.index)]))
    past, ahead = axis.at(history.index), axis.at(bands.index)
    x, start = [past[-1], *ahead], history["close"].tail(1)
    price: list[Any] = []
    for level, opacity in BANDS:
        lower, upper = bands[f"low_{level}"], bands[f"high_{level}"]
        price += band_traces(x, start, lower, upper, style.band.format(level=level), opacity)
    price.append(candles(past, history, style.history, style.market))
    line, median = {"color": FORECAST, "width": 2}, [float(start.iloc[0]), *bands["median"]]
    price.append(go.Scatter(x=x, y=median, mode="lines", line=line, name=style.median, showlegend=False))
    price.append(candles(axis.at(actual.index), actual, style.actual, style.market))
    figure = panels(axis.labels, style, price, height=height, labelled=True)
    edges = {f"{level} %": float(bands[f"high_{level}"].iloc[-1]) for level, _ in BANDS}
    label_ends(figure, {style.median: float(bands["median"].iloc[-1])} | edges)
    return figure


def _points(
    x: Sequence[Any], y: Sequence[float], name: str, models: Sequence[str], names: Mapping[str, str]
) -> go.Scatter:
    colour = _colour(name, models)
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode="lines+markers",
        name=names[name],
        line={"color": colour, "width": 1.8},
        marker={"color": colour, "size": 8},
        hovertemplate="%{fullData.name}: %{x:.0%} → %{y:.1%}<extra></extra>",
    )


def _line(x: Sequence[Any], y: Sequence[float], name: str) -> go.Scatter:
    line = {"color": NEUTRAL, "width": 1.4, "dash": "dot"}
    return go.Scatter(x=list(x), y=list(y), mode="lines", line=line, name=name, hoverinfo="skip")


def _colour(name: str, models: Sequence[str]) -> str:
    return MODELS[list(models).index(name) % len(MODELS)] if name in models else NEUTRAL


def _layout(x: str, y: str, *, percent: bool = False, **xaxis: Any) -> dict[str, Any]:
    grid: dict[str, Any] = {"gridcolor": translucent(NEUTRAL, 0.22), "zeroline": False, "automargin": True}
    yaxis = grid | {"title": {"text": y}} | ({"tickformat": ".0%"} if percent else {})
    return plain_layout(HEIGHT, xaxis={**grid, "title": {"text": x}, "showgrid": False, **xaxis}, yaxis=yaxis)
