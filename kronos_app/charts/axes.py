"""Axes of candlestick charts: one slot per candle, the price above and the volume below."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.basedatatypes import BaseTraceType

from kronos_app.charts.style import LEGEND, VALUE_AXIS, ChartStyle, plain_layout

MOST_EMPTY = 12  # slots of one gap, however long it is
ABOVE, BELOW = 0.14, 0.05  # free parts of the price axis; the read-out is above
TOP, BOTTOM = 34, 56  # pixels: buttons above the axes, labels and legend below
LABEL = 0.075  # free part of the time axis at its end, for labels of lines
LABEL_GAP = 0.036  # least distance of two labels, as a part of the price axis


@dataclass(frozen=True)
class TimeAxis:
    """The slots of a time axis, one per candle and per missing candle: labels in order, and by time."""

    labels: list[str]
    of: Mapping[pd.Timestamp, str]

    @classmethod
    def over(cls, timestamps: pd.DatetimeIndex, missing: pd.DatetimeIndex | None = None) -> Self:
        """Return the axis of candles at `timestamps`, with up to `MOST_EMPTY` slots per gap.

        Parameters
        ----------
        missing
            Times of candles that are missing by the calendar; closed hours have no slots.
        """
        times = timestamps.unique().sort_values()
        if missing is not None and len(missing) and len(times):
            inside = missing[(missing > times[0]) & (missing < times[-1]) & ~missing.isin(times)].unique().sort_values()
            gap = pd.Series(times.searchsorted(inside))
            times = times.union(inside[(gap.groupby(gap).cumcount() < MOST_EMPTY).to_numpy()])
        labels = time_labels(times)
        return cls(labels, dict(zip(times, labels, strict=True)))

    def at(self, timestamps: pd.Index[Any]) -> list[str]:
        """Return the labels of candles."""
        return [self.of[time] for time in timestamps]


def time_labels(timestamps: pd.DatetimeIndex) -> list[str]:
    """Return one label per candle, unique and ascending as text: the date, and the time if any candle has one."""
    intraday = bool((timestamps != timestamps.normalize()).any())
    return [str(label) for label in timestamps.strftime("%Y-%m-%d %H:%M" if intraday else "%Y-%m-%d")]


def panels(
    labels: list[str],
    style: ChartStyle,
    price: Sequence[BaseTraceType],
    volume: Sequence[BaseTraceType] = (),
    *,
    height: int,
    shown: int | None = None,
    log: bool = False,
    labelled: bool = False,
) -> go.Figure:
    """Return a figure with the price above and the volume, if any, below; one slot per label.

    The time axis has categories, so that nights, weekends and holidays take no room.

    Parameters
    ----------
    shown
        Number of slots at the end that are shown at first, None for all; both value axes fit them.
    log
        Whether the price axis is logarithmic.
    labelled
        Whether lines have labels at their right end, for which there must be room.
    """
    first = 0 if shown is None else max(len(labels) - shown, 0)
    visible = set(labels[first:])
    time = {
        "type": "category",
        "categoryorder": "array",
        "categoryarray": labels,
        "nticks": 5 if labels and ":" in labels[0] else 7,  # a label with hours is wide
        "tickangle": 0,  # chart.js hides labels that overlap
        "showgrid": False,
        "range": [first - 0.5, len(labels) - 0.5 + LABEL * labelled * len(visible)],
        "rangeslider": {"visible": False},
    }
    axes = {"xaxis": time, "yaxis": VALUE_AXIS | _price_axis(price, visible, style, log)}
    if volume:
        axes["xaxis"] |= {"anchor": "y2"}
        axes["yaxis"] |= {"domain": [0.25, 1]}
        axes["yaxis2"] = VALUE_AXIS | {"domain": [0, 0.21]} | _volume_axis(volume, visible, style)
    layout = plain_layout(
        height,
        margin={"l": 8, "r": 8, "t": TOP, "b": BOTTOM},
        legend=LEGEND | {"yref": "container", "y": 0, "traceorder": "normal"},
        hovermode=False,  # chart.js reads out what is under the pointer
        barmode="overlay",
        bargap=0.25,
        meta={"kronos": _script_data(style)},
        **axes,
    )
    # in one call: plotly validates the figure again after each later change
    return go.Figure([*price, *volume], layout)


def _script_data(style: ChartStyle) -> dict[str, Any]:
    """Return what `chart.js` needs to read out values in the language of the reader."""
    names = ("open", "high", "low", "close", "volume", "language")
    return {name: getattr(style, name) for name in names} | {"tools": dict(style.tools)}


def _price_axis(traces: Sequence[BaseTraceType], visible: set[str], style: ChartStyle, log: bool) -> dict[str, Any]:
    axis: dict[str, Any] = {"title": {"text": style.price}, "type": "log" if log else "linear", "tickformat": ",.6~g"}
    values = np.array([value for trace in traces for value in _visible(trace, visible, ("low", "high", "y"))])
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    if values.size:
        scaled = np.log10(values) if log else values
        low, high = float(scaled.min()), float(scaled.max())
        room = (high - low) or abs(high) * 0.01 or 1.0
        axis["range"] = [low - BELOW * room, high + ABOVE * room]
    return axis


def _volume_axis(traces: Sequence[BaseTraceType], visible: set[str], style: ChartStyle) -> dict[str, Any]:
    """Return the axis of the volume from zero on, with two or three ticks in the language of the reader."""
    values = np.array([value for trace in traces for value in _visible(trace, visible, ("y",))])
    most = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    axis: dict[str, Any] = {"title": {"text": style.volume}, "fixedrange": True}
    if most > 0:
        step = _round_step(most / 2)
        ticks = [step * n for n in range(int(most / step) + 1)]
        axis |= {"range": [0, 1.05 * most], "tickvals": ticks, "ticktext": [style.compact(tick) for tick in ticks]}
    return axis


def _round_step(most: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is at most `most`."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most)


def _visible(trace: BaseTraceType, visible: set[str], columns: Sequence[str]) -> Iterator[float]:
    for column in columns:
        if column in trace:
            yield from (float(value) for x, value in zip(trace.x, trace[column], strict=True) if x in visible)


def label_ends(figure: go.Figure, ends: Mapping[str, float]) -> None:
    """Label lines at their right ends: `ends` are their texts and last values. `figure` is of `panels`, `labelled`."""
    axis = figure.layout.yaxis
    # Plotly places annotations by the logarithm on such an axis.
    values = [math.log10(value) if axis.type == "log" else value for value in ends.values()]
    places = spread_labels(values, LABEL_GAP * (axis.range[1] - axis.range[0]))
    common = {"x": figure.layout.xaxis.range[1], "showarrow": False, "xanchor": "right", "font": {"size": 11}}
    figure.layout.annotations = [common | {"y": y, "text": text} for text, y in zip(ends, places, strict=True)]


def spread_labels(values: Sequence[float], gap: float) -> list[float]:
    """Return the places of labels: as near to `values` as they can be while `gap` apart, in the order of `values`."""
    order = np.argsort(values)
    places = np.array(values, dtype=float)[order]
    for _ in range(10 * len(places)):  # push neighbours apart, each by half
        for i in range(len(places) - 1):
            missing = gap - (places[i + 1] - places[i])
            if missing > 1e-12:
                places[i] -= missing / 2
                places[i + 1] += missing / 2
    result = np.empty(len(places))
    result[order] = places
    return result.tolist()
