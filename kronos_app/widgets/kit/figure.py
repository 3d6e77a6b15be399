"""Charts of candles and lines: figure, range and scale; `chart.js` adds the read-out, the crosshair and the buttons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kronos_app.charts.style import ChartStyle
from kronos_app.state import gettext as _
from kronos_app.widgets.kit.chart_style import chart_style

# The wheel reaches Plotly with Ctrl or Command only, see chart.js.
CONFIG: dict[str, Any] = {"displaylogo": False, "scrollZoom": True, "doubleClick": "reset"}
ALL = "all"

BuildFigure = Callable[[int | None, bool], go.Figure]


@dataclass(frozen=True, eq=False)
class Recipe:
    """How a figure is built, and a key with all that it depends on."""

    key: tuple[object, ...]
    build: Callable[[], go.Figure]


def cached_figure(key: tuple[object, ...], build: Callable[[ChartStyle], go.Figure]) -> go.Figure:
    """Return the figure of `key` in the style of the session, built at its first use.

    All sessions share it, so nothing may change it later. `key` has all that `build` depends on but the style.
    """
    style = chart_style()
    return _build_once(Recipe((*key, style.language, style.market.up), partial(build, style)))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Recipe: lambda recipe: recipe.key})
def _build_once(recipe: Recipe) -> go.Figure:
    return recipe.build()


def render_figure(figure: go.Figure, key: str, alt: str, file_name: str = "chart") -> None:
    """Render a figure of `panels`; `file_name` is that of downloads, without ending."""
    image = {"filename": file_name, "scale": 2}
    st.plotly_chart(figure, key=key, config=CONFIG | {"toImageButtonOptions": image}, alt=alt)


@st.fragment
def render_candles(
    build: BuildFigure, ranges: Sequence[tuple[str, int]], key: str, alt: str, file_name: str = "chart"
) -> None:
    """Render a chart of candles below a choice of its range and its scale, which runs nothing else."""
    render_candles_in(None, build, ranges, key, alt, file_name)


def render_candles_in(
    place: DeltaGenerator | None,
    build: BuildFigure,
    ranges: Sequence[tuple[str, int]],
    key: str,
    alt: str,
    file_name: str = "chart",
) -> None:
    """Render a choice of range and scale, and the chart of candles elsewhere.

    This is no fragment: inside another one, it could not write to an element outside of it.

    Parameters
    ----------
    place
        An empty element for the chart; None: below the choice.
    build
        Returns the figure, from the number of candles to show at its end, None for all, and whether the price axis is
        logarithmic.
    ranges
        Labels and numbers of candles; the last one is chosen at first.
    """
    counts = {str(n): count for n, (_label, count) in enumerate(ranges)}
    labels = {str(n): label for n, (label, _count) in enumerate(ranges)} | {ALL: _("All")}
    key_range = f"{key}.range"
    if st.session_state.get(key_range) not in labels:
        st.session_state[key_range] = next(reversed(counts), ALL)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            _("Range"),
            list(labels),
            format_func=labels.__getitem__,
            key=key_range,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        log = st.toggle(_("Log scale"), key=f"{key}.log", persist_state="session")
    with place or st.empty():
        render_figure(build(counts.get(str(chosen)), log), key, alt, file_name)
