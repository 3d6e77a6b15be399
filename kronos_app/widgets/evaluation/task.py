"""The tasks of the paper on the Evaluate page: a choice that fills the form, and the figures of one that was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import EvaluationData
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import words as evaluation_words
from kronos_app.widgets.kit import errors, formats

FILLED = {
    "lookback": state.EVALUATE_LOOKBACK,
    "horizon": state.EVALUATE_HORIZON,
    "samples": state.EVALUATE_SAMPLES,
    "temperature": state.EVALUATE_TEMPERATURE,
    "top_p": state.EVALUATE_TOP_P,
}


def choice(data: EvaluationData | None, models: Sequence[str]) -> str | None:
    """Draw the choice of a task, and return it; None for none. Choosing one fills the settings below it."""
    names = _names()
    chosen: str | None = st.selectbox(
        _("Task of the paper"),
        list(names),
        index=None,
        format_func=names.__getitem__,
        key=state.EVALUATE_TASK,
        persist_state="session",
        placeholder=_("none"),
        width=400,
        disabled=data is None or not models,
        on_change=_fill,
        args=(data, models),
        help=_(
            "Fills history, horizon and sampling as the paper on Kronos has them for such candles, and shows its "
            "figures first, beside those that were published."
        ),
    )
    return chosen


def draw(task: Mapping[str, Any], key: str) -> None:
    """Draw what a task asks of the evaluation, beside what was published."""
    st.subheader(_names()[task["name"]], anchor=False)
    ours, theirs = st.columns([3, 2], gap="large")
    with ours:
        _found(task, key)
    with theirs:
        _published(task, key)


def _names() -> dict[str, str]:
    return {
        "price": _("Price forecasting"),
        "return": _("Return forecasting"),
        "volatility": _("Volatility forecasting"),
    }


def _fill(data: EvaluationData | None, models: Sequence[str]) -> None:
    """Set the form to what the chosen task takes; without a task it stays as it is."""
    task = st.session_state[state.EVALUATE_TASK]
    if task is None or data is None:
        return
    with errors.shown():
        for name, value in desk().evaluations.preset(task, data, models).items():
            st.session_state[FILLED[name]] = value


def _found(task: Mapping[str, Any], key: str) -> None:
    names = evaluation_words.names({row["forecaster"] for row in task["rows"]})
    several = len({row["market"] for row in task["rows"]}) > 1
    lines = [
        ({"market": row["market"]} if several else {})
        | {"name": names[row["forecaster"]]}
        | {figure: row["figures"][figure]["value"] for figure in task["figures"]}
        | {f"{figure}_interval": _interval(row["figures"][figure]) for figure in task["figures"]}
        for row in task["rows"]
    ]
    columns = [*(["market"] if several else []), "name"]
    columns += [column for figure in task["figures"] for column in (figure, f"{figure}_interval")]
    intervals = {f"{figure}_interval": st.column_config.TextColumn(_("95 % interval")) for figure in task["figures"]}
    st.dataframe(
        pd.DataFrame(lines, columns=columns),
        hide_index=True,
        height="content",
        placeholder=formats.MISSING,
        key=f"evaluate.task.{key}",
        column_config={
            "market": st.column_config.TextColumn(_("Market")),
            "name": st.column_config.TextColumn(_("Forecaster"), pinned=True),
            **_figures(),
            **intervals,
        },
        alt=_("Figures of the task"),
    )
    st.caption(_("Forecasters that say the same of every step or cutoff have no correlation and are left out."))


def _published(task: Mapping[str, Any], key: str) -> None:
    lines = [{"model": one["model"], **one["figures"], "table": one["table"]} for one in task["published"]]
    st.dataframe(
        pd.DataFrame(lines, columns=["model", *task["figures"], "table"]),
        hide_index=True,
        height="content",
        placeholder=formats.MISSING,
        key=f"evaluate.published.{key}",
        column_config={
            "model": st.column_config.TextColumn(_("Published"), pinned=True),
            **_figures(),
            "table": st.column_config.TextColumn(_("Table")),
        },
        alt=_("What was published of the task"),
    )
    data = state.say(Text.from_dict(task["published"][0]["data"]))
    told = _("{paper}, {data}: other candles and other years, for orientation only.")
    st.caption(told.format(paper=task["paper"], data=data))


def _figures() -> dict[str, Any]:
    labels = {"ic": _("IC"), "rank_ic": _("Rank IC"), "mae": _("MAE"), "r2": _("R²")}
    return {name: st.column_config.NumberColumn(label, format="%.4f") for name, label in labels.items()}


def _interval(one: Mapping[str, Any]) -> str | None:
    return None if one["low"] is None else f"{one['low']:.3f} – {one['high']:.3f}"
