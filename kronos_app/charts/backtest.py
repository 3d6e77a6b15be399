"""The cumulative return of a strategy beside its benchmarks and random signals, and its returns by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.style import (
    FORECAST,
    NEUTRAL,
    ORANGE,
    SECOND,
    TEAL,
    TEXT,
    MarketColours,
    plain_layout,
    translucent,
)

HEIGHT, GROWTH = 520, 400  # pixels
BANDS = (("0.05", "0.95", 0.12), ("0.25", "0.75", 0.16))  # low, high, opacity; the widest first
BENCHMARKS = {
    "bench": {"color": NEUTRAL, "width": 1.8},
    "buy_and_hold": {"color": NEUTRAL, "width": 1.8},
    "equal_weight": {"color": TEAL, "width": 1.4, "dash": "dash"},
    "momentum": {"color": SECOND, "width": 1.4, "dash": "dot"},
}
STRATEGIES = (FORECAST, ORANGE, TEAL, SECOND)  # colours of several, in their order
ROW, FRAME = 34, 60  # pixels
DAYS: dict[str, Any] = {"type": "date", "showgrid": False, "nticks": 7, "tickformat": "%Y-%m"}


@dataclass(frozen=True)
class BacktestWords:
    """The words of the figures in the reader's language.

    Attributes
    ----------
    benchmarks
        Names of the benchmarks, by the keys of `BENCHMARKS`.
    luck
        Names of the bands of random signals, the widest first.
    months
        Twelve short names, and the name of the year's column.
    """

    strategy: str
    benchmarks: Mapping[str, str]
    luck: Sequence[str]
    cumulative_return: str
    drawdown: str
    months: Sequence[str]


def equity_chart(
    curves: Mapping[str, Sequence[Any]],
    benchmarks: Mapping[str, Sequence[float | None]],
    luck: Mapping[str, Sequence[float | None]],
    words: BacktestWords,
    market: MarketColours,
) -> go.Figure:
    """Return the growth of a strategy after costs above, and its drawdown below.

    Parameters
    ----------
    curves
        `day`, `strategy` and `drawdown`.
    benchmarks
        Growth by the keys of `BENCHMARKS`.
    luck
        Growth by quantile, as text: those of `BANDS`.
    """
    days = [pd.Timestamp(day) for day in curves["day"]]
    traces: list[Any] = []
    for (low, high, opacity), name in zip(BANDS, words.luck, strict=True):
        edge: dict[str, Any] = {"x": days, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        fill = {"fill": "tonexty", "fillcolor": translucent(NEUTRAL, opacity), "name": name}
        traces.append(go.Scatter(y=list(luck[low]), showlegend=False, legendgroup=name, **edge))
        traces.append(go.Scatter(y=list(luck[high]), legendgroup=name, **fill, **edge))
    for key, line in BENCHMARKS.items():
        if key in benchmarks:
            traces.append(_line(days, benchmarks[key], words.benchmarks[key], line))
    traces.append(_line(days, curves["strategy"], words.strategy, {"color": FORECAST, "width": 2.6}))
    fall = _line(days, curves["drawdown"], words.drawdown, {"color": market.down, "width": 1})
    fall.update(yaxis="y2", fill="tozeroy", fillcolor=translucent(market.down, 0.25), showlegend=False)
    layout = plain_layout(
        HEIGHT,
        hovermode="x unified",
        xaxis={**DAYS, "anchor": "y2"},
        yaxis=_grid(words.cumulative_return, tickformat="+.0%", domain=[0.31, 1]),
        yaxis2=_grid(words.drawdown, tickformat=".0%", domain=[0, 0.25], nticks=4),
    )
    return go.Figure([*traces, fall], layout)


def growth_chart(curves: Mapping[str, pd.Series[float]], words: BacktestWords) -> go.Figure:
    """Return the growth of several strategies after costs, each to its own end.

    Parameters
    ----------
    curves
        By name the cumulative return by day; as many as `STRATEGIES` at most.
    """
    lines = [
        _line(list(curve.index), list(curve), name, {"color": colour, "width": 2.2})
        for colour, (name, curve) in zip(STRATEGIES, curves.items(), strict=False)
    ]
    yaxis = _grid(words.cumulative_return, tickformat="+.0%")
    return go.Figure(lines, plain_layout(GROWTH, hovermode="x unified", xaxis=DAYS, yaxis=yaxis))


def monthly_chart(
    monthly: Mapping[str, Mapping[str, float | None]], words: BacktestWords, market: MarketColours
) -> go.Figure:
    """Return the returns of months and years in percent as a heat map, gains and losses in the market colours.

    Parameters
    ----------
    monthly
        Year to month (`1` to `12`, and `year`) to return, None where there is none.
    """
    years = sorted(monthly, reverse=True)
    columns = [*(str(month) for month in range(1, 13)), "year"]
    values = [[monthly[year][column] for column in columns] for year in years]
    known = [abs(value) for row in values for value in row[:-1] if value is not None]
    most = max([*known, 0.01])
    heat = go.Heatmap(
        x=list(words.months),
        y=years,
        z=values,
        hoverinfo="skip",
        zmin=-most,
        zmax=most,
        colorscale=[
            [0, translucent(market.down, 0.6)],
            [0.5, translucent(NEUTRAL, 0.06)],
            [1, translucent(market.up, 0.6)],
        ],
        showscale=False,
        xgap=2,
        ygap=2,
    )
    # Separate text: a heat map chooses the colour of its text without regard to the page's background.
    cells = [
        (month, year, f"{100 * value:+.1f}")
        for year, row in zip(years, values, strict=True)
        for month, value in zip(words.months, row, strict=True)
        if value is not None
    ]
    x, y, labels = (list(column) for column in zip(*cells, strict=True))
    font = {"size": 10, "color": TEXT}
    numbers = go.Scatter(x=x, y=y, text=labels, mode="text", textfont=font, hoverinfo="skip", showlegend=False)
    axis = {"type": "category", "showgrid": False, "fixedrange": True}
    layout = plain_layout(
        ROW * len(years) + FRAME,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},  # the months are above
        xaxis={**axis, "side": "top"},
        yaxis={**axis, "autorange": "reversed"},
    )
    return go.Figure([heat, numbers], layout)


def _line(days: Sequence[pd.Timestamp], values: Sequence[Any], name: str, line: Mapping[str, Any]) -> go.Scatter:
    return go.Scatter(x=list(days), y=list(values), mode="lines", name=name, line=dict(line),
                      hovertemplate="%{y:+.1%}")  # fmt: skip


def _grid(title: str, **more: Any) -> dict[str, Any]:
    lines = {"gridcolor": translucent(NEUTRAL, 0.22), "zerolinecolor": translucent(NEUTRAL, 0.5)}
    return {**lines, "automargin": True, "title": {"text": title}, **more}
