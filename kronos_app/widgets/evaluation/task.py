"""The tasks of the paper: a choice that fills the form, and the figures beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.selection.request import CandleSelection
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation.words import forecaster_names
from kronos_app.widgets.kit import errors
from kronos_app.widgets.runs.parts import render_table

TASK = "evaluate.task"


def pick(selection: CandleSelection | None, models: Sequence[str]) -> str | None:
    """Render the choice of a task, which fills the form, and return it; None for none."""
    names = _names()
    chosen: str | None = st.selectbox(
        _("Task of the paper"),
        list(names),
        index=None,
        format_func=names.__getitem__,
        key=TASK,
        persist_state="session",
        placeholder=_("none"),
        width=400,
        disabled=selection is None or not models,
        on_change=_fill_form,
        args=(selection, models),
        help=_(
            "Sets lookback, horizon and sampling as in the Kronos paper for these candles, and shows the figures of "
            "the task beside the published ones."
        ),
    )
    return chosen


def render(task: Mapping[str, Any], key: str) -> None:
    """Render the figures of a task beside the published ones."""
    st.subheader(_names()[task["name"]], anchor=False)
    own, published = st.columns([3, 2], gap="large")
    with own:
        _render_own(task, key)
    with published:
        _render_published(task, key)


def _names() -> dict[str, str]:
    return {
        "price": _("Price forecasting"),
        "return": _("Return forecasting"),
        "volatility": _("Volatility forecasting"),
    }


def _fill_form(selection: CandleSelection | None, models: Sequence[str]) -> None:
    chosen = st.session_state[TASK]
    if chosen is not None and selection is not None:
        with errors.render_errors():
            settings = desk().evaluations.preset(chosen, selection, models)
            st.session_state.update({f"evaluate.{field}": value for field, value in settings.items()})


def _render_own(task: Mapping[str, Any], key: str) -> None:
    rows, figures = task["rows"], task["figures"]
    names = forecaster_names({row["forecaster"] for row in rows})
    lines = []
    for row in rows:
        line = {"market": row["market"], "name": names[row["forecaster"]]}
        for figure in figures:
            estimate = row["figures"][figure]
            low, high = estimate["low"], estimate["high"]
            line |= {figure: estimate["value"], f"{figure}_ci": None if low is None else f"{low:.3f} – {high:.3f}"}
        lines.append(line)
    columns = ["market", "name", *(f"{figure}{end}" for figure in figures for end in ("", "_ci"))]
    table = pd.DataFrame(lines, columns=columns)
    render_table(
        table if table["market"].nunique() > 1 else table.drop(columns="market"),
        {
            "market": st.column_config.TextColumn(_("Market")),
            "name": st.column_config.TextColumn(_("Forecaster"), pinned=True),
            **_figure_columns(),
            **{f"{figure}_ci": st.column_config.TextColumn(_("95 % CI")) for figure in figures},
        },
        _("Figures of the task"),
        f"evaluate.task.{key}",
    )
    st.caption(_("Forecasters whose forecasts are constant have no correlation and are left out."))


def _render_published(task: Mapping[str, Any], key: str) -> None:
    lines = [{"model": line["model"], **line["figures"], "table": line["table"]} for line in task["published"]]
    render_table(
        pd.DataFrame(lines, columns=["model", *task["figures"], "table"]),
        {
            "model": st.column_config.TextColumn(_("Published"), pinned=True),
            **_figure_columns(),
            "table": st.column_config.TextColumn(_("Table")),
        },
        _("Published figures of the task"),
        f"evaluate.published.{key}",
    )
    data = state.say(Text.from_dict(task["published"][0]["data"]))
    caption = _("{paper}, {data}. Candles and years differ: for orientation only.")
    st.caption(caption.format(paper=task["paper"], data=data))


def _figure_columns() -> dict[str, Any]:
    labels = {"ic": _("IC"), "rank_ic": _("Rank IC"), "mae": _("MAE"), "r2": _("R²")}
    return {name: st.column_config.NumberColumn(label, format="%.4f") for name, label in labels.items()}
