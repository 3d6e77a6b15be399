"""Fine-tune: a new run, all runs, runs side by side; or the one run that the address names."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import compare as tuning_compare
from kronos_app.widgets.finetune import form as tuning_form
from kronos_app.widgets.finetune import run as tuning_run
from kronos_app.widgets.finetune import runs as tuning_runs
from kronos_app.widgets.finetune.actions import COMPARE, NEW, RUN, RUNS
from kronos_app.widgets.kit.errors import shown


def draw() -> None:
    st.title(_("Fine-tune"))
    if run_id := st.query_params.get(RUN):
        tuning_run.draw(run_id)
        return
    st.markdown(
        _(
            "Trains a model further on your own candles. Every run is scored on later candles "
            "against its base model, and the page says when it got worse."
        )
    )
    views = {
        NEW: (_("New run"), tuning_form.draw),
        RUNS: (_("Runs"), tuning_runs.draw),
        COMPARE: (_("Compare"), tuning_compare.draw),
    }
    view = st.segmented_control(
        _("View"),
        list(views),
        format_func=lambda name: views[name][0],
        key=_first_view(),
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if view != COMPARE:
        st.query_params.pop(tuning_compare.PARAMETER, None)
    with shown():
        views[view or NEW][1]()


def _first_view() -> str:
    """Return the key of the view, set to what the reader most likely came for."""
    linked = tuning_compare.PARAMETER in st.query_params
    state.default(state.FINETUNE_VIEW, COMPARE if linked else RUNS if desk().tuning.any() else NEW)
    return state.FINETUNE_VIEW


draw()
