"""Forecast: settings on the left, and on the right the work in progress or its result."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import last_candles
from kronos_app.widgets.forecast import form as forecast_form
from kronos_app.widgets.forecast import result as forecast_result
from kronos_app.widgets.forecast.result import HISTORY_SHOWN
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.errors import shown


def draw() -> None:
    st.title(_("Forecast"))
    settings, result = st.columns([4, 10], gap="medium")
    known = None
    with settings, shown():
        known = forecast_form.draw(on_submit=_submitted)
    with result, shown():
        _result(known)


def _submitted(job_id: str | None, forecast_id: str | None) -> None:
    """Put what was submitted into the address, where it survives a reload and can be shared."""
    st.session_state[state.FORECAST_CACHED] = forecast_id
    if forecast_id is not None:
        _show(forecast_id)
    elif job_id is not None:
        st.query_params.pop("forecast", None)
        st.query_params["job"] = job_id


def _show(forecast_id: str) -> None:
    st.query_params.pop("job", None)
    st.query_params["forecast"] = forecast_id


def _result(known: CandleFrame | None) -> None:
    """Draw the work in progress, or its result, or before there is either the candles that are `known`."""
    if job_id := st.query_params.get("job"):
        result_id = job.follow(job_id)
        if result_id is None:
            return
        _show(result_id)
    if forecast_id := st.query_params.get("forecast"):
        if st.session_state.get(state.FORECAST_CACHED) == forecast_id:
            st.success(
                _("Answered from the cache: the same request was computed before, so nothing was computed now."),
                icon=":material/bolt:",
            )
        forecast_result.draw(desk().forecasts.get(forecast_id))
    else:
        st.info(
            _("Choose the settings and run the forecast. The chart, the bands and the numbers will appear here."),
            icon=":material/candlestick_chart:",
        )
        job.draw_active()
        if known is not None:
            # What a forecast will go on from; and the browser, which now draws one chart, has what the next one takes.
            last_candles.draw(known, HISTORY_SHOWN, "forecast.known")


draw()
