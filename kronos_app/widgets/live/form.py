"""The form to follow a series: which one, the poll interval, and the settings of its forecasts."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.services.live.schedule import CADENCES, suggest_cadence
from kronos_app.services.live.views import FollowRequest
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.fields import render_select
from kronos_app.widgets.live import keys
from kronos_app.widgets.models.choice import render_model_field
from kronos_app.widgets.runs.fields import RequestFields
from kronos_app.widgets.runs.setup import (
    LABELS,
    forget_adopted,
    render_adopted,
    render_sampling_fields,
    render_setup_field,
    setup_values,
)

DEFAULT_INTERVAL = "1h"
FIELDS = RequestFields(FollowRequest, "live", LABELS)
SUGGESTED = 0


def render_form() -> None:
    """Render the form and follow the series when it is submitted."""
    render_adopted("live")
    grid = st.grid(3, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        family = _render_family()
    names = fields.ask_source(("names", family.key), lambda: list(desk().sources.names(family)))
    if not names:
        return
    source = names[0]
    if len(names) > 1:
        with grid.container():
            source = fields.render_source_field(
                state.joined(keys.EXCHANGE, family.key), state.say(family.title), names, family
            )
    intervals = fields.ask_source(("intervals", source), lambda: desk().sources.get(source).intervals())
    if not intervals:
        return
    with grid.container():
        interval = fields.render_interval_field(keys.INTERVAL, source, intervals, DEFAULT_INTERVAL)
    with grid.container():
        query = fields.render_query_field(keys.QUERY, source, family)
    with grid.container():
        symbol = fields.render_instrument_field(keys.SYMBOL, source, query)
    with grid.container():
        cadence = _render_cadence(interval)
    with grid.container():
        model = render_model_field(keys.MODEL)
    values: dict[str, object] = {"source": source, "symbol": symbol, "interval": interval.key, "cadence": cadence}
    for name in ("horizon", "lookback", "samples"):
        with grid.container():
            values[name] = render_setup_field(FIELDS, name, [model])
    with st.expander(_("Sampling"), icon=":material/tune:"):
        values |= render_sampling_fields(FIELDS, [model])
    values |= {"model": model, "options": fields.render_option_fields(keys.OPTION, family)}
    if st.button(_("Follow"), type="primary", icon=":material/play_arrow:", disabled=symbol is None):
        with errors.render_errors():
            desk().following.add(FollowRequest.build(values))
            forget_adopted("live")
            desk().keeper.wake()
            st.toast(_("The series is followed from now on."), icon=":material/check:")
            st.rerun()


def adopt_forecast(forecast: StoredForecast) -> None:
    """Fill the form with the setup of a forecast; its seed is left out, each forecast has its own."""
    values = {name: value for name, value in setup_values(forecast).items() if name != "seed"}
    values["lookback"] = forecast.request["lookback"]
    FIELDS.adopt(values)
    st.session_state[keys.FORM] = True
    st.session_state[keys.MODEL] = forecast.provenance["model"]


def _render_family() -> SourceFamily:
    families = {family.key: family for family in desk().sources.families if len(desk().sources.names(family))}
    labels = {key: state.say(family.title) for key, family in families.items()}
    return families[render_select(keys.SOURCE, _("Source"), labels)]


def _render_cadence(interval: Interval) -> int | None:
    least = desk().settings.follow_seconds
    suggested = suggest_cadence(interval.length, least)
    labels = {SUGGESTED: _("every {span} (suggested)").format(span=formats.span(suggested))}
    labels |= {
        cadence: _("every {span}").format(span=formats.span(cadence)) for cadence in CADENCES if cadence >= least
    }
    help_ = _("Time between two requests for new candles. Each completed candle starts one forecast.")
    return render_select(keys.CADENCE, _("Poll interval"), labels, help=help_) or None
