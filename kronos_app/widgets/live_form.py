"""Which series to follow, how often, and how to forecast it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.services.following import CADENCES, FollowRequest, usual_cadence
from kronos_app.widgets import errors, formats, model_choice

DEFAULT_EXCHANGE, DEFAULT_INTERVAL = "binance", "1h"
NARROWEST_FIELD = 220  # pixels
DEFAULTS = {state.LIVE_LOOKBACK: 400, state.LIVE_HORIZON: 24, state.LIVE_SAMPLES: 30}
LONGEST_LOOKBACK = 100_000
ANSWERS_KEPT = 30
SUGGESTED = 0


def draw() -> None:
    """Draw the form; what is asked for is followed from then on."""
    _ = state.gettext()
    for key, value in DEFAULTS.items():
        state.default(key, value)
    fields = st.grid(3, min_column_width=NARROWEST_FIELD)
    with fields.container():
        family = _family()
    names = list(desk().fetching.names(family))
    source = names[0]
    if len(names) > 1:
        with fields.container():
            source = _source(family, names)
    intervals = {one.key: one for one in desk().fetching.intervals(source)}
    with fields.container():
        interval = _interval(source, intervals)
    with fields.container():
        query = _query(source)
    with fields.container():
        symbol = _symbol(source, query)
    with fields.container():
        cadence = _cadence(intervals[interval])
    with fields.container():
        model = _model()
    with fields.container():
        horizon = _number(state.LIVE_HORIZON, _("Horizon"), desk().models.context(model) - 2, _("Candles to forecast."))
    with fields.container():
        help_ = _("How many candles of history the model sees.")
        lookback = _number(state.LIVE_LOOKBACK, _("Lookback"), LONGEST_LOOKBACK, help_, least=2)
    with fields.container():
        help_ = _("How many paths to draw. More make smoother bands and take longer.")
        samples = _number(state.LIVE_SAMPLES, _("Samples"), 200, help_)
    options = _options(family)
    if st.button(_("Follow"), type="primary", icon=":material/play_arrow:", disabled=symbol is None):
        wanted = {
            "source": source,
            "symbol": symbol,
            "interval": interval,
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
    _ = state.gettext()
    families = {family.key: family for family in desk().fetching.sources() if len(desk().fetching.names(family))}
    labels = {key: state.say(family.title) for key, family in families.items()}
    chosen = st.selectbox(
        _("Source"), list(families), format_func=labels.__getitem__, key=state.LIVE_SOURCE, persist_state="session"
    )
    return families[chosen]


def _source(family: SourceFamily, names: list[str]) -> str:
    """Ask which of the sources of a family."""
    key = _key(state.LIVE_EXCHANGE, family.key)
    if st.session_state.get(key) not in names:
        st.session_state[key] = DEFAULT_EXCHANGE if DEFAULT_EXCHANGE in names else names[0]
    return st.selectbox(state.say(family.title), names, key=key, persist_state="session")


def _interval(source: str, intervals: dict[str, Interval]) -> str:
    _ = state.gettext()
    key = _key(state.LIVE_INTERVAL, source)
    if st.session_state.get(key) not in intervals:
        st.session_state[key] = DEFAULT_INTERVAL if DEFAULT_INTERVAL in intervals else next(iter(intervals))
    labels = {name: f"{name} · {formats.span(one.length.total_seconds())}" for name, one in intervals.items()}
    return st.selectbox(
        _("Interval"), list(intervals), format_func=labels.__getitem__, key=key, persist_state="session"
    )


def _query(source: str) -> str:
    _ = state.gettext()
    return st.text_input(
        _("Symbol or name"),
        key=_key(state.LIVE_QUERY, source),
        persist_state="session",
        placeholder="BTC/USDT" if source != "yahoo" else "AAPL, Apple, 600519.SS",
        max_chars=100,
        help=_("Press Enter to search."),
    ).strip()


def _symbol(source: str, query: str) -> str | None:
    """Ask which of the instruments found is meant; what was typed can be taken as the symbol itself."""
    _ = state.gettext()
    found = _found(source, query) if query else ()
    labels = {one.symbol: " · ".join(filter(None, (one.symbol, one.name, one.exchange))) for one in found}
    same = next((symbol for symbol in labels if symbol.casefold() == query.casefold()), None)
    if query and same is None:
        labels[query] = _("“{symbol}” as typed").format(symbol=query)
    return st.selectbox(
        _("Instrument"),
        list(labels),
        index=list(labels).index(same) if same else 0 if labels else None,
        format_func=labels.__getitem__,
        key=_key(state.LIVE_SYMBOL, source, query),
        placeholder=_("Search first"),
        disabled=not labels,
    )


def _found(source: str, query: str) -> Sequence[Instrument]:
    """Return what a source finds; it is asked once, not at every click."""
    _ = state.gettext()
    answers: dict[tuple[str, str], Sequence[Instrument]] = st.session_state.setdefault(state.LIVE_ANSWERS, {})
    if (source, query) not in answers:
        with st.spinner(_("Asking the source …")):
            try:
                answers[source, query] = desk().fetching.search(source, query)
            except AppError as error:  # What was typed can be followed all the same.
                errors.show(error.message, error.hint)
                return ()
        while len(answers) > ANSWERS_KEPT:
            del answers[next(iter(answers))]
    return answers[source, query]


def _cadence(interval: Interval) -> int | None:
    _ = state.gettext()
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
    _ = state.gettext()
    statuses = model_choice.offered()
    ready = {name for name, status in statuses.items() if status.downloaded or status.bundled}
    current = st.session_state.get(state.LIVE_MODEL)
    st.session_state[state.LIVE_MODEL] = current if current in statuses else state.model()
    return st.selectbox(
        _("Model"),
        list(statuses),
        format_func=lambda name: name if name in ready else _("{name} (to be downloaded)").format(name=name),
        key=state.LIVE_MODEL,
        persist_state="session",
    )


def _number(key: str, label: str, most: int, help_: str, *, least: int = 1) -> int:
    state.clamp(key, least, most)
    return int(st.number_input(label, least, most, step=1, key=key, persist_state="session", help=help_))


def _options(family: SourceFamily) -> dict[str, str]:
    _ = state.gettext()
    if family.key != "yahoo":
        return {}
    state.default(state.LIVE_ADJUSTED, True)
    adjusted = st.toggle(
        _("Adjusted for splits and dividends"),
        key=state.LIVE_ADJUSTED,
        persist_state="session",
        help=_("Off: for splits alone, as intraday prices always are."),
    )
    return {"adjustment": "adjusted" if adjusted else "none"}


def _key(*parts: str) -> str:
    return ".".join(parts)
