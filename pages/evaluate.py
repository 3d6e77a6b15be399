"""Evaluate: a new evaluation, all evaluations; or the one that the address names."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import form as evaluation_form
from kronos_app.widgets.evaluation import run as evaluation_run
from kronos_app.widgets.evaluation.listing import EVALUATIONS
from kronos_app.widgets.kit.errors import shown

NEW, ALL = "new", "all"


def draw() -> None:
    st.title(_("Evaluate"))
    if evaluation_id := st.query_params.get(evaluation_form.EVALUATION):
        evaluation_run.draw(evaluation_id)
        return
    st.markdown(
        _(
            "Would it have worked? Models forecast at many cutoffs of the past, seeing nothing beyond each, beside "
            "baselines that cost nothing. The verdict is told whatever it is."
        )
    )
    views = {NEW: (_("New evaluation"), evaluation_form.draw), ALL: (_("Evaluations"), EVALUATIONS.draw)}
    state.default(state.EVALUATE_VIEW, ALL if desk().evaluations.any() else NEW)
    view = st.segmented_control(
        _("View"),
        list(views),
        format_func=lambda name: views[name][0],
        key=state.EVALUATE_VIEW,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    with shown():
        views[view or NEW][1]()


draw()
