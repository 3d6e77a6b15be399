"""What a model's forecasts of a data set were worth before, beside a new one."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.widgets.errors import escape


def draw(model: str, candles_id: str) -> None:
    """Draw the verdict of the newest evaluation of a model on a data set, nothing where there is none."""
    _ = state.gettext()
    found = desk().evaluations.record(model, candles_id)
    if found is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        told = " ".join(state.say(one) for one in (found.verdicts[model], *found.warnings))
        st.caption(":material/query_stats: " + escape(told), width="content")
        nav.link("evaluate", _("See the evaluation"), evaluation=found.id)
