"""The form to follow a series: which one, the poll interval, and the settings of its forecasts."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.services.live.schedule import CADENCES, suggest_cadence
from kronos_app.services.live.views import FollowRequest
from kronos_app.services.models.limits import SHORTEST_HISTORY, longest_horizon
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.fields import render_number, render_select
from kronos_app.widgets.live import keys
from kronos_app.widgets.models.choice import render_model_field

DEFAULT_INTERVAL = "1h"
DEFAULTS = {keys.LOOKBACK: 400, keys.HORIZON: 24, keys.SAMPLES: 30}
LONGEST_LOOKBACK, MOST_SAMPLES = 100_000, 200
SUGGESTED = 0


def render_form() -> None:
    """Render the form and follow the series when it is submitted."""
    for key, value in DEFAULTS.items():
        state.default(key, value)
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
    longest = longest_horizon(desk().models.context(model), "fit")
    paths_help = _("Number of paths. More paths give smoother bands and take longer.")
    history_help = _("Number of history candles that the model sees.")
    numbers = {
        "horizon": (keys.HORIZON, _("Horizon"), 1, longest, _("Number of candles to forecast.")),
        "lookback": (keys.LOOKBACK, _("Lookback"), SHORTEST_HISTORY, LONGEST_LOOKBACK, history_help),
        "samples": (keys.SAMPLES, _("Samples"), 1, MOST_SAMPLES, paths_help),
    }
    values: dict[str, object] = {"source": source, "symbol": symbol, "interval": interval.key, "cadence": cadence}
    for name, arguments in numbers.items():
        with grid.container():
            values[name] = render_number(*arguments)
    values |= {"model": model, "options": fields.render_option_fields(keys.OPTION, family)}
    if st.button(_("Follow"), type="primary", icon=":material/play_arrow:", disabled=symbol is None):
        with errors.render_errors():
            desk().following.add(FollowRequest.build(values))
            desk().keeper.wake()
            st.toast(_("The series is followed from now on."), icon=":material/check:")
            st.rerun()


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
