"""Evaluate: a new evaluation, the list of evaluations; or the evaluation in the address."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import form
from kronos_app.widgets.evaluation.listing import EVALUATIONS
from kronos_app.widgets.runs.setup import adopt_forecast
from kronos_app.widgets.runs.views import NEW, render_views


def render() -> None:
    st.title(_("Evaluate"))
    if evaluation_id := st.query_params.get(EVALUATIONS.parameter):
        EVALUATIONS.render_run(evaluation_id)
        return
    adopt_forecast("evaluate", form.adopt_forecast)
    st.markdown(
        _(
            "How good are the forecasts? Models forecast at many cutoffs of the past without look-ahead, and are "
            "compared with simple baselines. The verdict is shown whatever it is."
        )
    )
    views = {NEW: (_("New evaluation"), form.render), "all": (_("Evaluations"), EVALUATIONS.render)}
    render_views("evaluate", views, list_first=desk().evaluations.any())


render()
