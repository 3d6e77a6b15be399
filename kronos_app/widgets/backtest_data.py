"""Which candles to trade: data sets, stored series, a watchlist, a Qlib folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.backtest import BacktestData
from kronos_app.widgets import formats

SETS, SERIES, WATCHLIST, QLIB = "candle_sets", "series", "watchlist", "qlib"


def draw() -> BacktestData | None:
    """Draw the choice, and return it; None while nothing is chosen."""
    _ = state.gettext()
    labels = {SETS: _("Data sets"), SERIES: _("Stored series"), WATCHLIST: _("Watchlist"), QLIB: _("Qlib folder")}
    ways = {SETS: _sets, SERIES: _series, WATCHLIST: _watchlist, QLIB: _qlib}
    state.default(state.BACKTEST_SOURCE, SETS)
    kind = st.segmented_control(
        _("Candles to trade"),
        list(labels),
        format_func=labels.__getitem__,
        required=True,
        key=state.BACKTEST_SOURCE,
        persist_state="session",
        width="stretch",
        wrap=True,
    )
    return ways[kind or SETS]()


def adopt(data: BacktestData) -> None:
    """Set the choice to what a backtest was made with."""
    from kronos_app.store.series import SeriesKey

    values: Mapping[str, Mapping[str, Any]] = {
        SETS: {state.BACKTEST_SETS: list(data.candle_sets)},
        SERIES: {state.BACKTEST_SERIES: [SeriesKey(**one.model_dump()) for one in data.series]},
        WATCHLIST: {state.BACKTEST_WATCHLIST: data.watchlist},
        QLIB: {
            state.BACKTEST_FOLDER: f"{QLIB}:{data.qlib_folder}",
            f"{state.BACKTEST_MARKET}.{QLIB}:{data.qlib_folder}": data.qlib_market,
        },
    }
    st.session_state.update({state.BACKTEST_SOURCE: data.kind, **values[data.kind]})


def _sets() -> BacktestData | None:
    _ = state.gettext()
    infos = {info.id: info for info in desk().candles.list()}
    if not infos:
        _nothing(_("There is no data set yet. Upload one, or take a sample."))
        return None
    labels = {
        name: f"{one.name} · {formats.span(one.interval.total_seconds())} · {formats.number(one.rows, 0)}"
        for name, one in infos.items()
    }
    current = state.candles_id()
    state.default(state.BACKTEST_SETS, [current if current in infos else next(iter(infos))])
    st.session_state[state.BACKTEST_SETS] = [one for one in st.session_state[state.BACKTEST_SETS] if one in infos]
    chosen = st.multiselect(
        _("Data sets"),
        list(infos),
        format_func=labels.__getitem__,
        key=state.BACKTEST_SETS,
        persist_state="session",
        placeholder=_("Choose one or several"),
    )
    return BacktestData(kind=SETS, candle_sets=chosen) if chosen else None


def _series() -> BacktestData | None:
    _ = state.gettext()
    infos = {info.key: info for info in desk().series.list()}
    if not infos:
        _nothing(_("Nothing is stored yet. What is fetched on the Data page stays there."))
        return None
    known = [key for key in st.session_state.get(state.BACKTEST_SERIES, []) if key in infos]
    st.session_state[state.BACKTEST_SERIES] = known
    chosen = st.multiselect(
        _("Stored series"),
        list(infos),
        format_func=lambda key: " · ".join(filter(None, (key.symbol, key.source, key.interval, key.adjustment))),
        key=state.BACKTEST_SERIES,
        persist_state="session",
        select_all=len(infos),
        placeholder=_("Choose one or several"),
    )
    if not chosen:
        return None
    return BacktestData.model_validate({"kind": SERIES, "series": [asdict(key) for key in chosen]})


def _watchlist() -> BacktestData | None:
    _ = state.gettext()
    lists = [one.name for one in desk().series.watchlists()]
    if not lists:
        _nothing(_("There is no watchlist yet. Make one under Stored series on the Data page."))
        return None
    if st.session_state.get(state.BACKTEST_WATCHLIST) not in lists:
        st.session_state[state.BACKTEST_WATCHLIST] = lists[0]
    name = st.selectbox(_("Watchlist"), lists, key=state.BACKTEST_WATCHLIST, persist_state="session")
    return BacktestData(kind=WATCHLIST, watchlist=name)


def _qlib() -> BacktestData | None:
    _ = state.gettext()
    family = next((one for one in desk().fetching.sources() if one.key == QLIB), None)
    names = desk().fetching.names(family) if family else ()
    if not names:
        _nothing(_("There is no Qlib folder on this desk. Whoever runs it sets KRONOS_QLIB_FOLDERS; see docs/qlib.md."))
        return None
    first, second = st.columns(2)
    folder = first.selectbox(
        _("Folder"),
        names,
        format_func=lambda name: name.partition(":")[2],
        key=state.BACKTEST_FOLDER,
        persist_state="session",
    )
    market = second.selectbox(
        _("Market"),
        desk().fetching.folders.markets(folder),
        key=f"{state.BACKTEST_MARKET}.{folder}",
        persist_state="session",
    )
    return BacktestData(kind=QLIB, qlib_folder=folder.partition(":")[2], qlib_market=market)


def _nothing(said: str) -> None:
    _ = state.gettext()
    st.info(said, icon=":material/database:")
    nav.link("data", _("Go to Data"), icon=":material/database:")
