"""One evaluation: how it stands, and once it has finished the verdict, scores, figures and the worst cutoffs."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import EvaluationView
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import figures as evaluation_figures
from kronos_app.widgets.evaluation import scores as evaluation_scores
from kronos_app.widgets.evaluation import task as evaluation_task
from kronos_app.widgets.evaluation.listing import EVALUATIONS
from kronos_app.widgets.kit.errors import escape


def draw(evaluation_id: str) -> None:
    """Draw the evaluation that the address names."""
    EVALUATIONS.draw_one(evaluation_id, _finished)


def _finished(seen: EvaluationView) -> None:
    report = seen.report or {}
    evaluation_scores.draw_verdicts(seen)
    for note in seen.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    if report.get("task"):  # of an evaluation made before there were tasks there is no such key
        evaluation_task.draw(report["task"], seen.id)
    evaluation_scores.draw_table(report, seen.id)
    _download(seen)
    evaluation_figures.draw(seen.id, report)


def _download(seen: EvaluationView) -> None:
    with st.container(horizontal=True):
        st.download_button(
            _("Download this table"),
            partial(evaluation_scores.table_csv, seen.report or {}),
            file_name=f"evaluation-{seen.id}.csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"evaluate.table.{seen.id}",
        )
        st.download_button(
            _("Download all scores"),
            partial(desk().evaluations.csv, seen.id),
            file_name=f"evaluation-{seen.id}-cutoffs.csv",
            on_click="ignore",
            icon=":material/download:",
            key=f"evaluate.csv.{seen.id}",
            help=_("Those of every forecaster at every cutoff."),
        )
