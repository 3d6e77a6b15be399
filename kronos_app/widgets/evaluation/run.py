"""The page of an evaluation."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import Evaluation
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import figures, scores, task
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.parts import render_notes, render_verdict, render_warning

CERTAIN = {"seen", "cutoffs"}  # values of a warning that counts cutoffs in the training period


def render_evaluation(evaluation: Evaluation) -> None:
    """Render a finished evaluation."""
    report = evaluation.report or {}
    for warning in evaluation.warnings:
        render_warning(warning, severe=bool(CERTAIN & warning.params.keys()))
    for model in report["models"]:
        render_verdict(evaluation.verdicts[model], scores.grade(report["forecasters"][model]["skill"]))
        st.caption(escape(state.say(evaluation.describe_setup(model))))
    render_notes(evaluation.notes)
    if report.get("task"):  # earlier versions had no tasks
        task.render(report["task"], evaluation.id)
    scores.render(report, evaluation.id)
    _render_downloads(evaluation)
    figures.render(evaluation.id, report)


def _render_downloads(evaluation: Evaluation) -> None:
    table, csv = partial(scores.table_csv, evaluation.report or {}), partial(desk().evaluations.csv, evaluation.id)
    about = _("The scores of every forecaster at every cutoff.")
    with st.container(horizontal=True):
        for name, label, content, suffix, help_ in (
            ("table", _("Download this table"), table, "", None),
            ("csv", _("Download all scores"), csv, "-cutoffs", about),
        ):
            st.download_button(
                label,
                content,
                file_name=f"evaluation-{evaluation.id}{suffix}.csv",
                on_click="ignore",
                icon=":material/download:",
                key=f"evaluate.{name}.{evaluation.id}",
                help=help_,
            )
