"""Fine-tune: a new run, the list of runs, runs side by side; or the run in the address."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import compare, form
from kronos_app.widgets.finetune.listing import RUNS
from kronos_app.widgets.runs.views import COMPARE, NEW, render_views


def render() -> None:
    st.title(_("Fine-tune"))
    if run_id := st.query_params.get(RUNS.parameter):
        RUNS.render_run(run_id)
        return
    st.markdown(
        _(
            "Trains a model further on your own candles. Every run is scored on later candles "
            "against its base model, and the page says when it got worse."
        )
    )
    views = {
        NEW: (_("New run"), form.render_form),
        "all": (_("Runs"), RUNS.render),
        COMPARE: (_("Compare"), compare.render_comparison),
    }
    render_views("finetune", views, list_first=desk().tuning.any())


render()
