"""Backtest: a new backtest, all backtests, backtests side by side; or the one that the address names."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import compare as backtest_compare
from kronos_app.widgets.backtest import form as backtest_form
from kronos_app.widgets.backtest import run as backtest_run
from kronos_app.widgets.backtest.listing import BACKTESTS
from kronos_app.widgets.kit.errors import shown

NEW, ALL, COMPARE = "new", "all", "compare"


def draw() -> None:
    st.title(_("Backtest"))
    if backtest_id := st.query_params.get(backtest_form.BACKTEST):
        backtest_run.draw(backtest_id)
        return
    st.markdown(
        _(
            "Would trading by the forecasts have paid? After costs, beside equal parts, momentum and what luck alone "
            "reaches. No signal sees anything after its day, and it is traded on the next."
        )
    )
    views = {
        NEW: (_("New backtest"), backtest_form.draw),
        ALL: (_("Backtests"), BACKTESTS.draw),
        COMPARE: (_("Compare"), backtest_compare.draw),
    }
    linked = backtest_compare.PARAMETER in st.query_params
    state.default(state.BACKTEST_VIEW, COMPARE if linked else ALL if desk().backtests.any() else NEW)
    view = st.segmented_control(
        _("View"),
        list(views),
        format_func=lambda name: views[name][0],
        key=state.BACKTEST_VIEW,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if view != COMPARE:
        st.query_params.pop(backtest_compare.PARAMETER, None)
    with shown():
        views[view or NEW][1]()


draw()
