"""The forecast or job that the address names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from kronos_app.runtime import desk
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.settings import load_settings
from kronos_app.widgets.forecast.setups import PARAMETER, addresses, render_setups_outcome
from kronos_app.widgets.kit import job

if TYPE_CHECKING:
    from kronos_app.services.forecast.service import Submission
    from kronos_app.services.forecast.view import ForecastView

ADDRESSES = ("job", "forecast", PARAMETER)  # parameters of the address that name what the page shows


def open_submissions(submissions: Sequence[Submission]) -> None:
    """Put the jobs or the cached forecasts into the address, where they survive a reload and can be shared."""
    first = submissions[0]
    st.session_state[keys.CACHED] = first.forecast_id
    st.session_state[keys.LOADED] = first.forecast_id or first.job_id
    if len(submissions) > 1:
        _open(PARAMETER, addresses(submissions))
    else:
        _open("forecast" if first.cached else "job", first.forecast_id or first.job_id or "")


def names_outcome() -> bool:
    """Return whether the address names a forecast, a job or several setups."""
    return any(name in st.query_params for name in ADDRESSES)


def find_result() -> ForecastView | None:
    """Return the forecast of the address, whose settings the form then has.

    A job in progress, its error and the comparison of several setups are rendered instead.
    """
    _close_form()
    if PARAMETER in st.query_params:
        render_setups_outcome()
        return None
    job_id, forecast_id = st.query_params.get("job"), st.query_params.get("forecast")
    if job_id:
        forecast_id = job.await_result(job_id)
        if forecast_id is None:
            return None
        _open("forecast", forecast_id)
        if st.session_state.get(keys.LOADED) == job_id:  # submitted from this form
            st.session_state[keys.LOADED] = forecast_id
    view = desk().forecasts.get(forecast_id) if forecast_id else None
    if view is not None and st.session_state.get(keys.LOADED) != forecast_id:
        load_settings(view.stored)
    st.session_state[keys.LOADED] = forecast_id
    return view


def _open(kind: str, value: str | Sequence[str]) -> None:
    for name in ADDRESSES:
        st.query_params.pop(name, None)
    st.query_params[kind] = value


def _close_form() -> None:
    """Close the form of a phone when the address names a new job or forecast, open it when it names none any more."""
    address = {name: st.query_params.get_all(name) for name in ADDRESSES if name in st.query_params}
    if keys.ADDRESS not in st.session_state or st.session_state[keys.ADDRESS] != address:
        st.session_state[keys.ADDRESS] = address
        st.session_state[keys.FORM_OPEN] = not address
