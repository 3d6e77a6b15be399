"""Runs side by side: their losses over each other, the settings in which they differ, their scores."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.finetune_curves import overlay_losses
from kronos_app.runtime import desk
from kronos_app.services.finetune.records import read_curves
from kronos_app.services.finetune.run import TuneRun
from kronos_app.services.finetune.service import MOST_COMPARED
from kronos_app.services.finetune.views import RunComparison
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import keys, words
from kronos_app.widgets.finetune.fields import OPTIONS, label
from kronos_app.widgets.finetune.scores import render_scores
from kronos_app.widgets.kit import formats
from kronos_app.widgets.models.names import method_name, own_name
from kronos_app.widgets.runs.parts import render_chart

PARAMETER = "compare"


def render_comparison() -> None:
    """Render the choice of runs, which the address names, and the comparison of two or more."""
    runs = {run.id: run for run in desk().tuning.list()}
    if len(runs) < 2:
        st.info(_("Two runs are needed to compare."), icon=":material/compare_arrows:")
        return
    linked = [name for name in st.query_params.get_all(PARAMETER) if name in runs]
    state.default(keys.COMPARED, linked)
    st.session_state[keys.COMPARED] = [run_id for run_id in st.session_state[keys.COMPARED] if run_id in runs]
    labels = _labels(runs)
    chosen = st.multiselect(
        _("Runs to compare"),
        list(runs),
        format_func=labels.__getitem__,
        key=keys.COMPARED,
        persist_state="session",
        max_selections=MOST_COMPARED,
        placeholder=_("Choose two or more"),
    )
    if len(chosen) < 2:
        return
    st.query_params[PARAMETER] = chosen
    comparison = desk().tuning.compare(chosen)
    _losses(comparison, labels)
    _differences(comparison, labels)
    _scores(comparison, labels)


def _labels(runs: dict[str, TuneRun]) -> dict[str, str]:
    """Return the names of runs, with the start where several have the same name."""
    names = [run.name for run in runs.values()]
    return {
        run.id: run.name if names.count(run.name) == 1 else f"{run.name} · {formats.moment(run.created)}"
        for run in runs.values()
    }


def _losses(comparison: RunComparison, labels: dict[str, str]) -> None:
    logs = {labels[run.id]: read_curves(run) for run in comparison.runs}
    for stage, name in words.STAGES.items():
        of_stage = {run_label: log[stage] for run_label, log in logs.items() if stage in log and len(log[stage])}
        if of_stage:
            st.markdown(f"**{state.say(name)}**")
            figure = overlay_losses(of_stage, words.curve_words(), apart=stage == "tokenizer")
            render_chart(figure, f"finetune.overlay.{stage}", _("Losses of the runs by step"))


def _differences(comparison: RunComparison, labels: dict[str, str]) -> None:
    st.markdown("**" + _("Different settings") + "**")
    if not comparison.differences:
        st.caption(_("None: all settings are equal."))
        return
    names = [labels[run.id] for run in comparison.runs]
    rows = [
        {_("Setting"): _name(field), **dict(zip(names, map(_shown, values), strict=True))}
        for field, values in comparison.differences.items()
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height="content", key="finetune.differences")


def _name(field: str) -> str:
    """Return the label of a setting, with its stage."""
    stage = words.STAGES.get(field.partition(".")[0])
    name = label(field)
    return name if stage is None or name == field else f"{state.say(stage)} · {name}"


def _shown(value: Any) -> str:
    if isinstance(value, str) and value in OPTIONS:
        return state.say(OPTIONS[value])
    return formats.MISSING if value is None else method_name(str(value))


def _scores(comparison: RunComparison, labels: dict[str, str]) -> None:
    """Render the scores of each run and its base model."""
    st.markdown("**" + _("Scores") + "**")
    rows = {}
    for run in comparison.runs:
        scores = comparison.scores.get(run.id) or {}
        for name in ("tuned", "base"):
            if name in scores:
                rows[f"{labels[run.id]} · {own_name(name)}"] = scores[name]
    if rows:
        render_scores(rows, "finetune.compared")
    else:
        st.caption(_("None of them has scores yet."))
