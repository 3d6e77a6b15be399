"""One evaluation: how it stands, and once it has finished the verdict, scores, figures and the worst cutoffs."""

from __future__ import annotations

from functools import partial

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.evaluation import EvaluationView
from kronos_app.widgets import (
    errors,
    evaluation_figures,
    evaluation_list,
    evaluation_scores,
    evaluation_task,
    evaluation_words,
)
from kronos_app.widgets.errors import escape


def draw(evaluation_id: str) -> None:
    """Draw the evaluation that the address names."""
    _ = state.gettext()
    nav.link("evaluate", _("All evaluations"), icon=":material/arrow_back:")
    with errors.shown():
        seen = desk().evaluations.get(evaluation_id)
        _head(seen)
        if seen.active:
            evaluation_list.progress(seen.id, seen.state)
            st.caption(_("You may leave or close this page: the work goes on, and this address shows the result."))
        elif seen.report is not None:
            _finished(seen)
        else:
            _ended(seen.state, seen.error)


def _head(seen: EvaluationView) -> None:
    words, buttons = st.columns([5, 3], vertical_alignment="center")
    with words:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(escape(evaluation_list.title(seen)), width="content", anchor=False)
            st.markdown(evaluation_words.badge(seen), width="content")
        st.markdown(f":small[{escape(evaluation_words.details(seen))}]")
    with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        evaluation_list.actions(seen)


def _ended(ended: str, error: Text | None) -> None:
    _ = state.gettext()
    if error is not None:
        st.error(escape(state.say(error)), icon=":material/error:")
    elif ended == "cancelled":
        st.info(_("It was cancelled. What was forecast is kept: Resume goes on from there."), icon=":material/cancel:")
    else:
        st.warning(
            _("It was interrupted. What was forecast is kept: Resume goes on from there."),
            icon=":material/power_off:",
        )


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
    _ = state.gettext()
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
