"""Forecast: settings on the left, and on the right the job in progress or its result."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.services.forecast.service import Submission
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import last_candles
from kronos_app.widgets.forecast.form import render_form
from kronos_app.widgets.forecast.result import HISTORY_SHOWN, render_forecast
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.errors import shown


def render() -> None:
    st.title(_("Forecast"))
    settings, result = st.columns([4, 10], gap="medium")
    candles = None
    with settings, shown():
        candles = render_form(on_submit=_open_submission)
    with result, shown():
        _render_result(candles)


def _open_submission(submission: Submission) -> None:
    st.session_state[state.FORECAST_CACHED] = submission.forecast_id
    _open("forecast" if submission.cached else "job", submission.forecast_id or submission.job_id or "")


def _open(kind: str, value: str) -> None:
    """Put the id of a job or a forecast into the address, where it survives a reload and can be shared."""
    for name in ("job", "forecast"):
        st.query_params.pop(name, None)
    st.query_params[kind] = value


def _render_result(candles: CandleFrame | None) -> None:
    """Render the job in progress or its result; before there is either, the candles up to the cutoff."""
    if job_id := st.query_params.get("job"):
        result_id = job.follow(job_id)
        if result_id is None:
            return
        _open("forecast", result_id)
    if forecast_id := st.query_params.get("forecast"):
        if st.session_state.get(state.FORECAST_CACHED) == forecast_id:
            st.success(_("From the cache: the same request was computed before."), icon=":material/bolt:")
        render_forecast(desk().forecasts.get(forecast_id))
    else:
        st.info(
            _("Choose the settings and run the forecast. Chart, bands and scores appear here."),
            icon=":material/candlestick_chart:",
        )
        job.render_active_jobs()
        if candles is not None:  # the browser then has loaded what the chart of the forecast needs
            last_candles.draw(candles, HISTORY_SHOWN, "forecast.known")


render()
