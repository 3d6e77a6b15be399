"""The form of a forecast: one bar with the settings and Run, and below it what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.candle_frame import CandleFrame
from kronos_app.runtime import desk
from kronos_app.services.forecast.limits import Limits, find_limits
from kronos_app.services.forecast.request import ForecastRequest
from kronos_app.services.models.limits import SENSIBLE_HISTORY
from kronos_app.state import gettext as _
from kronos_app.store.records import CandleSet, StoredForecast
from kronos_app.widgets.candles import doubts, last_candles, picker
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.cutoff import render_cutoff
from kronos_app.widgets.forecast.outcome import open_submissions
from kronos_app.widgets.forecast.sampling import adopt_recommendation, render_preset, render_sampling
from kronos_app.widgets.forecast.settings import FUTURE, REPLAY, form_settings, name_differences, set_defaults
from kronos_app.widgets.forecast.setups import render_setups, requests_of_setups
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.kit.fields import render_segments, render_whole_number
from kronos_app.widgets.models.choice import render_model_field

if TYPE_CHECKING:
    from kronos_app.services.forecast.view import ForecastView

FORM = "forecast_form"  # named in style.css
KNOWN_SHOWN = 150  # candles
MODE_WIDTH, NUMBER_WIDTH, PRESET_WIDTH = 145, 78, 125  # pixels


@st.fragment
def render_form(in_use: tuple[str | None, str], result: ForecastView | None, *, preview: bool) -> None:
    """Render the form; a change of it runs nothing else of the page, unless the sidebar shows it too.

    Parameters
    ----------
    in_use
        Data set and model that the sidebar shows.
    result
        The forecast that the page shows below the form.
    preview
        Whether to render the candles up to the cutoff below the form.
    """
    with render_errors():
        with st.container(key=FORM, gap="small"):
            chosen, cutoff = _render_settings(result)
        if (state.candles_id(), state.model()) != in_use:
            st.rerun()
        if preview and chosen is not None:
            job.render_active_jobs()
            # The browser then has loaded what the chart of the forecast needs.
            last_candles.render_last_candles(_known_candles(chosen, cutoff), KNOWN_SHOWN, "forecast.known")


def _render_settings(result: ForecastView | None) -> tuple[CandleSet | None, datetime | None]:
    """Render the bar and, below it, cutoff and remarks; return the data set and the cutoff of a replay."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        with st.container():
            chosen = picker.render_candle_picker()
        if chosen is None:
            return None, None
        set_defaults(chosen.candles)
        model = _render_choices()
        place_of_run = st.container(width="content")
    settings = form_settings() | {"candles_id": chosen.id, "model": desk().models.spec(model).name, "cutoff": None}
    requests: list[ForecastRequest] = []
    with render_errors():
        row, remark = st.container(horizontal=True, vertical_alignment="center", gap="medium"), ""
        if st.session_state[keys.MODE] == REPLAY:
            with row:
                settings["cutoff"], remark = render_cutoff(chosen.candles, settings["horizon"])
        limits = _check_limits(settings, chosen)
        with row:
            st.container().caption(escape(f"{remark} {state.say(limits.message)}"))
            findings = desk().forecasts.doubts(chosen.id, settings["cutoff"], settings["lookback"])
            doubts.render_doubts(findings, link=True)
        requests = _check_requests(settings, chosen)
        if not _confirm_lookback(settings["lookback"]):
            requests = []
    if place_of_run.button(_("Run forecast"), type="primary", disabled=not requests) and requests:
        with render_errors():  # a click may arrive together with a change that disables the button
            open_submissions(desk().forecasts.submit_all(requests))
            st.rerun()
    if result is not None:
        _render_differences(settings, result.stored)
    return chosen, settings["cutoff"]


def _render_choices() -> str:
    """Render model, mode, lookback, horizon and sampling, and return the name of the model."""
    st.session_state[keys.MODEL] = state.model()
    with st.container():
        model = render_model_field(keys.MODEL, on_change=lambda: state.use_model(st.session_state[keys.MODEL]))
    state.use_model(model)
    adopt_recommendation(model)
    render_segments(keys.MODE, _("Mode"), {FUTURE: _("Future"), REPLAY: _("Replay")}, width=MODE_WIDTH)
    render_whole_number(keys.LOOKBACK, _("Lookback"), width=NUMBER_WIDTH)
    render_whole_number(keys.HORIZON, _("Horizon"), width=NUMBER_WIDTH)
    with st.container(width=PRESET_WIDTH):
        render_preset(model)
    with st.popover(_("Sampling")):
        render_sampling(model, desk().models.context(model))
    render_setups()
    return model


def _check_limits(settings: dict[str, Any], chosen: CandleSet) -> Limits:
    """Return the limits of lookback and horizon; raise InvalidInput if one of them is outside."""
    lookback, horizon = settings["lookback"], settings["horizon"]
    spec, rows = desk().models.spec(settings["model"]), len(_known_candles(chosen, settings["cutoff"]))
    window, context = settings["window"], spec.max_context
    limits = find_limits(lookback, horizon, window, model=spec.name, context=context, rows=rows)
    limits.check(lookback, horizon)
    return limits


def _check_requests(settings: dict[str, Any], chosen: CandleSet) -> list[ForecastRequest]:
    """Return the requests of the form and of further setups; raise the error of one that would be refused."""
    requests = requests_of_setups(ForecastRequest.build(settings))
    for request in requests:
        _check_limits(request.model_dump(), chosen)  # another model holds fewer candles
    desk().forecasts.check_all(requests)
    return requests


def _confirm_lookback(lookback: int) -> bool:
    """Return whether the lookback is long enough, or its shortness was confirmed."""
    if lookback >= SENSIBLE_HISTORY:
        return True
    label = _("Forecast from only {lookback} candles: with fewer than {least} the bands are unreliable")
    return st.checkbox(label.format(lookback=lookback, least=SENSIBLE_HISTORY), key=keys.SHORT_HISTORY)


def _render_differences(settings: dict[str, Any], forecast: StoredForecast) -> None:
    """Say that the forecast below has other settings than the form, if it has."""
    if names := name_differences(settings, forecast):
        message = _("The forecast below was made with other settings: {names}.").format(names=", ".join(names))
        st.caption(":material/difference: " + message)


def _known_candles(chosen: CandleSet, cutoff: datetime | None) -> CandleFrame:
    candles = chosen.candles
    if cutoff is None:
        return candles
    return replace(candles, frame=candles.frame[candles.timestamps <= pd.Timestamp(cutoff)])
