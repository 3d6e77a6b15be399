"""Which candles to evaluate on: data sets, stored series, a watchlist."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.evaluation import EvaluationData
from kronos_app.widgets import formats

SETS, SERIES, WATCHLIST = "candle_sets", "series", "watchlist"
SAMPLE = "sp500"


def draw() -> EvaluationData | None:
    """Draw the choice, and return it; None while nothing is chosen."""
    _ = state.gettext()
    labels = {SETS: _("Data sets"), SERIES: _("Stored series"), WATCHLIST: _("Watchlist")}
    ways = {SETS: _sets, SERIES: _series, WATCHLIST: _watchlist}
    kind = st.segmented_control(
        _("Candles to forecast"),
        list(labels),
        format_func=labels.__getitem__,
        default=SETS,
        required=True,
        key=state.EVALUATE_SOURCE,
        persist_state="session",
        width="stretch",
        wrap=True,
    )
    return ways[kind or SETS]()


def _sets() -> EvaluationData | None:
    _ = state.gettext()
    infos = {info.id: info for info in desk().candles.list()}
    if not infos:
        st.info(_("There is no data set yet. Upload one, or take a sample."), icon=":material/database:")
        with st.container(horizontal=True):
            st.button(_("Take a sample"), icon=":material/play_arrow:", on_click=_take_sample, key="evaluate.sample")
            nav.link("data", _("Go to Data"), icon=":material/database:")
        return None
    labels = {
        name: f"{one.name} · {formats.span(one.interval.total_seconds())} · {formats.number(one.rows, 0)}"
        for name, one in infos.items()
    }
    current = state.candles_id()
    state.default(state.EVALUATE_SETS, [current if current in infos else next(iter(infos))])
    st.session_state[state.EVALUATE_SETS] = [one for one in st.session_state[state.EVALUATE_SETS] if one in infos]
    chosen = st.multiselect(
        _("Data sets"),
        list(infos),
        format_func=labels.__getitem__,
        key=state.EVALUATE_SETS,
        persist_state="session",
        placeholder=_("Choose one or several"),
    )
    return EvaluationData(kind=SETS, candle_sets=chosen) if chosen else None


def _take_sample() -> None:
    """Keep a series that comes with the desk, and choose it."""
    service = desk().candles
    draft = service.sample(SAMPLE)
    saved = service.save(service.preview(draft, "drop"), service.inspect(draft))
    state.use_candles(saved.id)
    st.session_state[state.EVALUATE_SETS] = [saved.id]


def _series() -> EvaluationData | None:
    _ = state.gettext()
    infos = {info.key: info for info in desk().series.list()}
    if not infos:
        st.info(_("Nothing is stored yet. What is fetched on the Data page stays there."), icon=":material/database:")
        nav.link("data", _("Go to Data"), icon=":material/database:")
        return None
    known = [key for key in st.session_state.get(state.EVALUATE_SERIES, []) if key in infos]
    st.session_state[state.EVALUATE_SERIES] = known
    chosen = st.multiselect(
        _("Stored series"),
        list(infos),
        format_func=lambda key: " · ".join(filter(None, (key.symbol, key.source, key.interval, key.adjustment))),
        key=state.EVALUATE_SERIES,
        persist_state="session",
        select_all=len(infos),
        placeholder=_("Choose one or several"),
    )
    if not chosen:
        return None
    return EvaluationData.model_validate({"kind": SERIES, "series": [asdict(key) for key in chosen]})


def _watchlist() -> EvaluationData | None:
    _ = state.gettext()
    lists = [one.name for one in desk().series.watchlists()]
    if not lists:
        st.info(
            _("There is no watchlist yet. Make one under Stored series on the Data page."), icon=":material/database:"
        )
        nav.link("data", _("Go to Data"), icon=":material/database:")
        return None
    if st.session_state.get(state.EVALUATE_WATCHLIST) not in lists:
        st.session_state[state.EVALUATE_WATCHLIST] = lists[0]
    name = st.selectbox(_("Watchlist"), lists, key=state.EVALUATE_WATCHLIST, persist_state="session")
    return EvaluationData(kind=WATCHLIST, watchlist=name)
