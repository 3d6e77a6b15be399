"""The forecast or job that the address names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.settings import load_settings
from kronos_app.widgets.forecast.setups import PARAMETER, addresses, load_setups, render_setups_outcome
from kronos_app.widgets.kit import job

if TYPE_CHECKING:
    from kronos_app.services.forecast.service import Submission
    from kronos_app.services.forecast.view import ForecastView

ADDRESSES = ("job", "forecast", PARAMETER)  # parameters of the address that name what the page shows
FORM_SWITCH = "forecast_form_switch"  # named in style.css


def open_submissions(submissions: Sequence[Submission]) -> None:
    """Put the jobs or the cached forecasts into the address, where they survive a reload and can be shared."""
    first = submissions[0]
    st.session_state[keys.CACHED] = first.forecast_id
    if len(submissions) > 1:
        st.session_state[keys.LOADED] = addresses(submissions)
        _open(PARAMETER, addresses(submissions))
    else:
        st.session_state[keys.LOADED] = first.forecast_id or first.job_id
        _open("forecast" if first.cached else "job", first.forecast_id or first.job_id or "")


def names_outcome() -> bool:
    """Return whether the address names a forecast, a job or several setups."""
    return any(name in st.query_params for name in ADDRESSES)


def render_form_switch() -> None:
    """Render the switch that opens the form on a phone: closed with each new result, open without one."""
    address = [value for name in ADDRESSES for value in st.query_params.get_all(name)]
    with st.container(key=FORM_SWITCH, width="content"):
        st.toggle(_("Settings"), value=not address, key=state.joined(keys.FORM_OPEN, *address))


def find_result() -> ForecastView | None:
    """Return the forecast of the address, whose settings the form then has.

    A job in progress, its error and the comparison of several setups are rendered instead.
    """
    if PARAMETER in st.query_params:
        _render_setups()
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


def _render_setups() -> None:
    """Render the setups of the address; the form then has them."""
    loaded, before = st.session_state.get(keys.LOADED), st.query_params.get_all(PARAMETER)
    views = render_setups_outcome()
    entries = st.query_params.get_all(PARAMETER)
    if views and loaded not in (before, entries):  # not submitted from this form
        load_settings(views[0].stored)
        load_setups([view.stored for view in views[1:]])
    if views or loaded == before:
        st.session_state[keys.LOADED] = entries


def _open(kind: str, value: str | Sequence[str]) -> None:
    for name in ADDRESSES:
        st.query_params.pop(name, None)
    st.query_params[kind] = value
