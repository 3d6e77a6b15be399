"""The train/validation/test split of each symbol, and example forecasts with actuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from kronos_app.charts.axes import time_labels
from kronos_app.charts.style import FORECAST, NEUTRAL, ORANGE, SECOND, TEAL, plain_layout, translucent

SPLIT_COLOURS = {"train": FORECAST, "validation": TEAL, "test": ORANGE}
MOST_ROWS = 30  # of the timeline; above that, one row for each group
ROW, FRAME = 24, 96  # pixels
COLUMNS = 2  # of the small multiples
PANEL = 250  # pixels
SPACE = 0.07  # between two columns, of the figure's width


@dataclass(frozen=True)
class Stretch:
    """The candles of a symbol in one split.

    Attributes
    ----------
    group, symbol
        Market and interval; the instrument.
    split
        Key of `SPLIT_COLOURS`.
    first, last
        Times of its first and last candle.
    windows
        Number of its windows.
    """

    group: str
    symbol: str
    split: str
    first: pd.Timestamp
    last: pd.Timestamp
    windows: int


@dataclass(frozen=True)
class TimelineWords:
    """The words of the timeline; `windows` contains `{count}`."""

    splits: Mapping[str, str]
    gap: str
    windows: str


@dataclass(frozen=True)
class ExampleWords:
    """The words of the example forecasts."""

    history: str
    actual: str
    tuned: str
    base: str
    band: str


def timeline_chart(stretches: Sequence[Stretch], words: TimelineWords) -> go.Figure:
    """Return one row for each symbol, coloured by split; the embargo between splits is dotted.

    Parameters
    ----------
    stretches
        In any order. With more than `MOST_ROWS` symbols, a row is a group, from its first to its last time.
    words
        In the reader's language.
    """
    rows = _rows(stretches)
    traces: list[go.Scatter] = [_gaps(rows, words.gap)]
    for split, colour in SPLIT_COLOURS.items():
        found = [(row, one) for row, ones in rows.items() for one in ones if one.split == split]
        if found:
            traces.append(_bars(found, words.splits[split], colour, words.windows))
    layout: dict[str, Any] = plain_layout(ROW * len(rows) + FRAME) | {
        "xaxis": {"type": "date", "showgrid": True, "gridcolor": translucent(NEUTRAL, 0.22), "nticks": 8},
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(reversed(rows)),
            "range": [-0.6, len(rows) - 0.4],
            "automargin": True,
            "showgrid": False,
            "fixedrange": True,
        },
    }
    return go.Figure(traces, layout)


def _rows(stretches: Sequence[Stretch]) -> dict[str, list[Stretch]]:
    """Return the stretches by the name of their row, ordered by time."""
    symbols = {(one.group, one.symbol) for one in stretches}
    if len(symbols) > MOST_ROWS:
        return _by_group(stretches)
    alone = len({symbol for _, symbol in symbols}) == len(symbols)
    rows: dict[str, list[Stretch]] = {}
    for one in sorted(stretches, key=lambda one: (one.group, one.symbol, one.first)):
        rows.setdefault(one.symbol if alone else f"{one.symbol} · {one.group}", []).append(one)
    return rows


def _by_group(stretches: Sequence[Stretch]) -> dict[str, list[Stretch]]:
    rows: dict[str, list[Stretch]] = {}
    for group in sorted({one.group for one in stretches}):
        for split in SPLIT_COLOURS:
            of = [one for one in stretches if one.group == group and one.split == split]
            if of:
                first, last = min(one.first for one in of), max(one.last for one in of)
                joined = Stretch(group, "", split, first, last, sum(one.windows for one in of))
                rows.setdefault(group, []).append(joined)
    return rows


def _bars(found: Sequence[tuple[str, Stretch]], name: str, colour: str, windows: str) -> go.Scatter:
    """Return one segment for each stretch, with points at both ends to make a short one visible."""
    times: list[pd.Timestamp | None] = []
    places: list[str] = []
    counts: list[str] = []
    for row, one in found:
        times += [one.first, one.last, None]
        places += [row] * 3
        counts += [windows.format(count=f"{one.windows:,}")] * 3
    return go.Scatter(
        x=times,
        y=places,
        mode="lines+markers",
        line={"color": colour, "width": 11},
        marker={"color": colour, "size": 5, "symbol": "square", "line": {"width": 0}},
        connectgaps=False,
        name=name,
        customdata=counts,
        hovertemplate="%{y}: %{x|%Y-%m-%d %H:%M}<br>%{customdata}",
    )


def _gaps(rows: Mapping[str, Sequence[Stretch]], name: str) -> go.Scatter:
    """Return the embargo between two stretches of different splits."""
    times: list[pd.Timestamp | None] = []
    places: list[str] = []
    for row, ones in rows.items():
        for one, other in pairwise(ones):
            if one.split != other.split and one.last < other.first:
                times += [one.last, other.first, None]
                places += [row] * 3
    line = {"color": NEUTRAL, "width": 2, "dash": "dot"}
    return go.Scatter(x=times, y=places, mode="lines", line=line, connectgaps=False, name=name, hoverinfo="skip")


def examples_chart(examples: Sequence[Mapping[str, Any]], words: ExampleWords) -> go.Figure:
    """Return small multiples: history, actuals, and the bands of the tuned and the base model.

    Parameters
    ----------
    examples
        Each `symbol times close future_times actual quantiles`, perhaps `base`; quantiles by level as text, with
        "0.05", "0.5" and "0.95" among them.
    words
        In the reader's language.
    """
    traces: list[go.Scatter] = []
    titles: list[dict[str, Any]] = []
    rows = -(-len(examples) // COLUMNS)
    layout = plain_layout(PANEL * rows + 40)
    layout["legend"]["traceorder"] = "normal"
    for number, example in enumerate(examples):
        axis = "" if number == 0 else str(number + 1)
        left, right, low, high = _place(number, rows, PANEL * rows)
        labels = time_labels(pd.DatetimeIndex(pd.to_datetime([*example["times"], *example["future_times"]])))
        traces += _example(example, labels, axis, words, first=number == 0)
        layout[f"xaxis{axis}"] = {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": labels,
            "domain": [left, right],
            "anchor": f"y{axis}",
            "nticks": 3,
            "tickangle": 0,
            "showgrid": False,
            "range": [-0.5, len(labels) - 0.5],
        }
        layout[f"yaxis{axis}"] = {
            "domain": [low, high],
            "anchor": f"x{axis}",
            "side": "right",
            "nticks": 5,
            "gridcolor": translucent(NEUTRAL, 0.22),
            "zeroline": False,
        }
        place = {"xref": "paper", "yref": "paper", "x": left, "y": high, "xanchor": "left", "yanchor": "bottom"}
        titles.append(
            {"text": f"<b>{example['symbol']}</b> · {labels[len(example['times']) - 1]}", "showarrow": False, **place}
        )
    return go.Figure(traces, layout | {"annotations": titles})


def _place(number: int, rows: int, height: int) -> tuple[float, float, float, float]:
    """Return left, right, low and high of a panel, as shares of the figure."""
    row, column = divmod(number, COLUMNS)
    width = (1 - SPACE * COLUMNS) / COLUMNS  # prices are labelled at the right of each
    left = column * (width + SPACE)
    gap = 58 / height  # dates below it and the next one's title
    tall = (1 - gap * rows) / rows
    high = 1 - row * (tall + gap) - 22 / height
    return left, left + width, high - tall + 22 / height, high


def _example(
    example: Mapping[str, Any], labels: Sequence[str], axis: str, words: ExampleWords, *, first: bool
) -> list[go.Scatter]:
    past = len(example["times"])
    close = list(example["close"])
    ahead = list(labels[past - 1 :])
    start = close[-1:]
    on: dict[str, Any] = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "mode": "lines"}
    traces = []
    for name, quantiles, colour, dash in (
        (words.base, example.get("base"), SECOND, "dash"),
        (words.tuned, example["quantiles"], FORECAST, "solid"),
    ):
        if quantiles:
            edge = {**on, "x": ahead, "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
            band = f"{name} · {words.band}"
            fill = translucent(colour, 0.2)
            low, high, middle = ([*start, *quantiles[level]] for level in ("0.05", "0.95", "0.5"))
            line = {"color": colour, "width": 2, "dash": dash}
            traces += [
                go.Scatter(y=low, showlegend=False, **edge),
                go.Scatter(y=high, fill="tonexty", fillcolor=fill, name=band, showlegend=first, **edge),
                go.Scatter(x=ahead, y=middle, line=line, name=name, legendgroup=name, showlegend=first, **on),
            ]
    history = {"color": NEUTRAL, "width": 1.6}
    actual_line = {"color": TEAL, "width": 2.2}
    traces.append(go.Scatter(x=labels[:past], y=close, line=history, name=words.history, showlegend=first, **on))
    actual = [*start, *example["actual"]]
    traces.append(go.Scatter(x=ahead, y=actual, line=actual_line, name=words.actual, showlegend=first, **on))
    return traces
