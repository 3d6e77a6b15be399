"""Which series to follow, how often, and how to forecast it."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.services.live.service import CADENCES, FollowRequest, usual_cadence
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.models import choice as model_choice

DEFAULT_INTERVAL = "1h"
DEFAULTS = {state.LIVE_LOOKBACK: 400, state.LIVE_HORIZON: 24, state.LIVE_SAMPLES: 30}
LONGEST_LOOKBACK = 100_000
SUGGESTED = 0


def draw() -> None:
    """Draw the form; what is asked for is followed from then on."""
    for key, value in DEFAULTS.items():
        state.default(key, value)
    grid = st.grid(3, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        family = _family()
    names = fields.asked(("names", family.key), lambda: list(desk().fetching.names(family)))
    if not names:
        return
    source = names[0]
    if len(names) > 1:
        with grid.container():
            source = fields.exchange(state.joined(state.LIVE_EXCHANGE, family.key), state.say(family.title), names)
    intervals = fields.asked(("intervals", source), lambda: desk().fetching.intervals(source))
    if not intervals:
        return
    with grid.container():
        interval = fields.interval(state.LIVE_INTERVAL, source, intervals, DEFAULT_INTERVAL)
    with grid.container():
        query = fields.query(state.LIVE_QUERY, source)
    with grid.container():
        symbol = fields.instrument(state.LIVE_SYMBOL, source, query)
    with grid.container():
        cadence = _cadence(interval)
    with grid.container():
        model = _model()
    with grid.container():
        horizon = _number(state.LIVE_HORIZON, _("Horizon"), desk().models.context(model) - 2, _("Candles to forecast."))
    with grid.container():
        help_ = _("How many candles of history the model sees.")
        lookback = _number(state.LIVE_LOOKBACK, _("Lookback"), LONGEST_LOOKBACK, help_, least=2)
    with grid.container():
        help_ = _("How many paths to draw. More make smoother bands and take longer.")
        samples = _number(state.LIVE_SAMPLES, _("Samples"), 200, help_)
    options = fields.options(state.LIVE_ADJUSTED, family)
    if st.button(_("Follow"), type="primary", icon=":material/play_arrow:", disabled=symbol is None):
        wanted = {
            "source": source,
            "symbol": symbol,
            "interval": interval.key,
            "options": options,
            "cadence": cadence,
            "model": model,
            "horizon": horizon,
            "lookback": lookback,
            "samples": samples,
        }
        with errors.shown():
            desk().following.add(FollowRequest.build(wanted))
            desk().keeper.wake()
            st.toast(_("Followed from now on."), icon=":material/check:")
            st.rerun()


def _family() -> SourceFamily:
    families = {family.key: family for family in desk().fetching.sources() if len(desk().fetching.names(family))}
    labels = {key: state.say(family.title) for key, family in families.items()}
    chosen = st.selectbox(
        _("Source"), list(families), format_func=labels.__getitem__, key=state.LIVE_SOURCE, persist_state="session"
    )
    return families[chosen]


def _cadence(interval: Interval) -> int | None:
    least = desk().settings.follow_seconds
    usual = usual_cadence(interval.length, least)
    labels = {SUGGESTED: _("every {span} (suggested)").format(span=formats.span(usual))}
    labels |= {one: _("every {span}").format(span=formats.span(one)) for one in CADENCES if one >= least}
    chosen = st.selectbox(
        _("Look at the source"),
        list(labels),
        format_func=labels.__getitem__,
        key=state.LIVE_CADENCE,
        persist_state="session",
        help=_("How often to ask for new candles. A forecast is made only when one has ended."),
    )
    return None if chosen == SUGGESTED else chosen


def _model() -> str:
    statuses = model_choice.offered()
    current = st.session_state.get(state.LIVE_MODEL)
    st.session_state[state.LIVE_MODEL] = current if current in statuses else state.model()
    return st.selectbox(
        _("Model"),
        list(statuses),
        format_func=model_choice.label_names(statuses),
        key=state.LIVE_MODEL,
        persist_state="session",
    )


def _number(key: str, label: str, most: int, help_: str, *, least: int = 1) -> int:
    state.clamp(key, least, most)
    return int(st.number_input(label, least, most, step=1, key=key, persist_state="session", help=help_))
