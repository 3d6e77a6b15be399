"""What a model's forecasts of a data set were worth before, beside a new one."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.forecasting import ForecastView
from kronos_app.widgets.errors import escape


def draw(view: ForecastView) -> None:
    """Draw the verdict of the model's newest evaluation on the data set, else its record elsewhere where it has one."""
    _ = state.gettext()
    model = str(view.stored.provenance["model"])
    found = desk().evaluations.record(model, view.stored.candles_id)
    if found is None:
        other = desk().records.find(view)
        if other is not None:
            st.caption(":material/query_stats: " + escape(state.say(other)))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        told = " ".join(state.say(one) for one in (found.verdicts[model], *found.warnings))
        st.caption(":material/query_stats: " + escape(told), width="content")
        nav.link("evaluate", _("See the evaluation"), evaluation=found.id)
