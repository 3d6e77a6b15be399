"""The right side of the Forecast page: the job in progress, its result, or before both the candles up to the cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import last_candles
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.result import render_forecast
from kronos_app.widgets.forecast.setups import PARAMETER, addresses, render_setups_outcome
from kronos_app.widgets.kit import job

if TYPE_CHECKING:
    from kronos_app.services.forecast.service import Submission

KNOWN_SHOWN = 150  # candles


def open_submissions(submissions: Sequence[Submission]) -> None:
    """Put the jobs or the cached forecasts into the address, where they survive a reload and can be shared."""
    first = submissions[0]
    st.session_state[keys.CACHED] = first.forecast_id
    if len(submissions) > 1:
        _open(PARAMETER, addresses(submissions))
    else:
        _open("forecast" if first.cached else "job", first.forecast_id or first.job_id or "")


def _open(kind: str, value: str | Sequence[str]) -> None:
    for name in ("job", "forecast", PARAMETER):
        st.query_params.pop(name, None)
    st.query_params[kind] = value


def render_outcome(candles: CandleFrame | None) -> None:
    """Render what the address names, else `candles`."""
    if PARAMETER in st.query_params:
        render_setups_outcome()
        return
    if job_id := st.query_params.get("job"):
        result_id = job.await_result(job_id)
        if result_id is None:
            return
        _open("forecast", result_id)
    if forecast_id := st.query_params.get("forecast"):
        if st.session_state.get(keys.CACHED) == forecast_id:
            st.success(_("From the cache: the same request was computed before."), icon=":material/bolt:")
        render_forecast(desk().forecasts.get(forecast_id))
        return
    st.info(
        _("Choose the settings and run the forecast. Chart, bands and scores appear here."),
        icon=":material/candlestick_chart:",
    )
    job.render_active_jobs()
    if candles is not None:  # the browser then has loaded what the chart of the forecast needs
        last_candles.render_last_candles(candles, KNOWN_SHOWN, "forecast.known")
