"""Which forecasts the History page lists, and in what order."""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastColumn, ForecastFilter
from kronos_app.widgets.forecast.history import keys
from kronos_app.widgets.forecast.listing import describe_mode

Value = TypeVar("Value")

# Columns whose first order is ascending: words from A to Z, and the best ratio first.
ASCENDING_FIRST: tuple[ForecastColumn, ...] = ("candles_name", "model", "tags", "note", "crps_ratio")
WIDTH = 138  # of a field, in pixels: two fit beside each other on a phone


def column_labels() -> dict[ForecastColumn, str]:
    """Return the titles of the columns by which forecasts are sorted, in the order of the table."""
    return {
        "candles_name": _("Data set"),
        "model": _("Model"),
        "replay": _("Mode"),
        "cutoff": _("Cutoff"),
        "horizon": _("Horizon"),
        "crps_ratio": _("CRPS ratio"),
        "coverage": _("Coverage {level} %").format(level=80),
        "tags": _("Tags"),
        "note": _("Note"),
        "created": _("Created"),
        "lookback": _("Lookback"),
        "samples": _("Samples"),
        "driftless": _("Drift"),
        "seed": _("Seed"),
    }


def render_filter() -> ForecastFilter:
    """Render the fields of the filter and return it."""
    forecasts = desk().forecasts
    names = forecasts.data_sets()
    text = st.text_input(_("Search"), key=keys.TEXT, placeholder=_("name, model, tag, note or id"), width=200)
    candles_id = _choose(_("Data set"), dict(names), keys.CANDLES)
    model = _choose(_("Model"), {name: name for name in forecasts.models()}, keys.MODEL)
    replay = _choose(_("Mode"), {mode: describe_mode(mode) for mode in (False, True)}, keys.MODE)
    tag = _choose(_("Tag"), {name: name for name in forecasts.tags()}, keys.TAG)
    return ForecastFilter(model=model, candles_id=candles_id, replay=replay, tag=tag, text=text)


def _choose(label: str, names: dict[Value, str], key: str) -> Value | None:
    if st.session_state.get(key) not in names:  # such as a tag that no forecast has any more
        st.session_state[key] = None
    return st.selectbox(
        label, list(names), None, format_func=names.__getitem__, key=key, placeholder=_("All"), width=WIDTH
    )


def render_order() -> tuple[ForecastColumn, bool]:
    """Render the fields of the order; return the column and whether it is ascending."""
    labels = column_labels()
    state.default(keys.SORT, "created")
    state.default(keys.ASCENDING, False)
    column = st.selectbox(_("Sort by"), list(labels), format_func=labels.__getitem__, key=keys.SORT, width=WIDTH)
    return column, st.checkbox(_("Ascending"), key=keys.ASCENDING)


def sort_by(column: ForecastColumn) -> None:
    """Sort by a column; where that is the order already, turn it round."""
    same = st.session_state.get(keys.SORT) == column
    st.session_state[keys.ASCENDING] = not st.session_state[keys.ASCENDING] if same else column in ASCENDING_FIRST
    st.session_state[keys.SORT] = column
