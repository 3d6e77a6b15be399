"""Backtest: a new backtest, the list of backtests, backtests side by side; or the backtest in the address."""

from __future__ import annotations

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.backtest import compare, form
from kronos_app.widgets.backtest.listing import BACKTESTS
from kronos_app.widgets.runs.setup import adopt_forecast
from kronos_app.widgets.runs.views import COMPARE, NEW, render_views


def render() -> None:
    st.title(_("Backtest"))
    if backtest_id := st.query_params.get(BACKTESTS.parameter):
        BACKTESTS.render_run(backtest_id)
        return
    adopt_forecast("backtest", form.adopt_forecast)
    st.markdown(
        _(
            "Returns of trading on the forecasts, after costs, beside an equal-weight portfolio, "
            "momentum and random signals. A signal uses candles up to its day and is traded on the "
            "next day."
        )
    )
    views = {
        NEW: (_("New backtest"), form.render),
        "all": (_("Backtests"), BACKTESTS.render),
        COMPARE: (_("Compare"), compare.render),
    }
    render_views("backtest", views, list_first=desk().backtests.any())


render()
