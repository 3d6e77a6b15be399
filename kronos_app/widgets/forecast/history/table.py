"""The table of forecasts: a click on a title sorts all of them in the database, ticked rows are picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.services.forecast.listing import ForecastItem
from kronos_app.services.forecast.request import PRESETS
from kronos_app.state import gettext as _
from kronos_app.store.records import ForecastColumn
from kronos_app.widgets.candles.doubts import mark_names
from kronos_app.widgets.forecast.history import keys
from kronos_app.widgets.forecast.history.filter import column_labels, sort_by
from kronos_app.widgets.forecast.listing import describe_drift, describe_mode
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.names import shorten
from kronos_app.widgets.runs.setup import LABELS

NUMBERS = {
    "horizon": "%d",
    "lookback": "%d",
    "samples": "%d",
    "seed": "%d",
    "crps_ratio": "%.2f",
    "coverage": "%.0f %%",
}
LONGEST_SHOWN = 30  # Latin letters of the name of a data set
SHORT_DIGEST = 8  # characters


def picked_ids() -> list[str]:
    """Return the ids of the picked forecasts, in the order they were picked."""
    return list(st.session_state.get(keys.PICKED, []))


def pick(ids: Sequence[str]) -> None:
    """Pick these forecasts and no others."""
    st.session_state[keys.PICKED] = list(ids)
    _draw_anew()


def read_clicks() -> None:
    """Apply what was clicked in the table as it was last drawn: rows that are picked, and a title to sort by."""
    key, ids = st.session_state.get(keys.DRAWN, (keys.TABLE, ()))
    clicked = st.session_state.get(key)
    if clicked is None:
        return
    ticked = [ids[row] for row in clicked["selection"]["rows"] if row < len(ids)]
    others = [id_ for id_ in picked_ids() if id_ not in ids or id_ in ticked]
    st.session_state[keys.PICKED] = list(dict.fromkeys([*others, *ticked]))
    for column in clicked["selection"]["columns"]:
        if column in column_labels():
            sort_by(cast("ForecastColumn", column))
        else:
            st.toast(_("Forecasts cannot be sorted by this column."))
        _draw_anew()


def render_table(items: Sequence[ForecastItem], by: ForecastColumn, ascending: bool) -> None:
    """Render a page of the list; `read_clicks` reads what is clicked in it."""
    ids = [item.id for item in items]
    key = state.joined(keys.TABLE, str(st.session_state.get(keys.ROUND, 0)), str(hash(tuple(ids))))
    st.session_state[keys.DRAWN] = (key, ids)
    picked = picked_ids()
    st.dataframe(
        pd.DataFrame([_row(item) for item in items]),
        hide_index=True,
        height="content",
        key=key,
        on_select="rerun",
        selection_mode=["multi-row", "single-column"],
        selection_default={"selection": {"rows": [row for row, id_ in enumerate(ids) if id_ in picked]}},
        column_config=_configure(by, ascending),
        placeholder=formats.MISSING,
        alt=_("All forecasts"),
    )


def _draw_anew() -> None:
    """Let the next table show what is picked, not what was clicked in the one before."""
    st.session_state.pop(keys.DRAWN, None)
    st.session_state[keys.ROUND] = st.session_state.get(keys.ROUND, 0) + 1


def _row(item: ForecastItem) -> dict[str, Any]:
    words = {
        "candles_name": "⚠ " * item.damaged + shorten(item.title, LONGEST_SHOWN),
        "replay": describe_mode(item.replay),
        "cutoff": formats.time(item.cutoff),
        "created": formats.moment(item.created),
        "driftless": describe_drift(item.driftless),
        "coverage": item.coverage and item.coverage * 100,
        "tags": list(item.tags),
    }
    return {
        **{column: getattr(item, column) for column in column_labels()},
        **words,
        "sampling": _describe_sampling(item),
        "marks": ", ".join([_("damaged")] if item.damaged else mark_names(item.marks)),
        "weights": item.weights and item.weights[:SHORT_DIGEST],
    }


def _describe_sampling(item: ForecastItem) -> str | None:
    """Return the name of the preset, else its settings."""
    if item.damaged:
        return None
    if item.preset is not None:
        return state.say(PRESETS[item.preset].label)
    names = ("temperature", "top_p", "top_k")
    return ", ".join(f"{state.say(LABELS[name])} {item.request.get(name)}" for name in names)


def _configure(sorted_by: ForecastColumn, ascending: bool) -> dict[str, Any]:
    """Return the columns, the one that is sorted by with an arrow."""
    labels = {str(name): label for name, label in column_labels().items()}
    labels |= {"sampling": _("Sampling"), "marks": _("Data"), "weights": _("Weights")}
    labels[sorted_by] += " ↑" if ascending else " ↓"
    helps = {
        "crps_ratio": _("CRPS divided by that of the EWMA random walk; below 1 is better. Known once graded."),
        "coverage": _("Share of actual closes inside the 80 % band. Known once graded."),
        "weights": _("Digest of the model's weights: equal digests are one version of a model."),
    }
    columns: dict[str, Any] = {}
    for name, label in labels.items():
        about = helps.get(name)
        if name in NUMBERS:
            columns[name] = st.column_config.NumberColumn(label, format=NUMBERS[name], help=about)
        elif name == "tags":
            columns[name] = st.column_config.ListColumn(label, width=130)
        else:
            width = 180 if name == "note" else None
            columns[name] = st.column_config.TextColumn(label, help=about, pinned=name == "candles_name", width=width)
    return columns
