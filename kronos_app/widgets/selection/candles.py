"""The candles that an evaluation or a backtest takes: data sets, stored series, a watchlist, a Qlib folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.selection.candles import WorkData
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats

SETS, SERIES, WATCHLIST, QLIB = "candle_sets", "series", "watchlist", "qlib"
SAMPLE = "sp500"
Fields = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """Keys of the widgets of one page, and the name of that page."""

    page: str
    source: str
    sets: str
    series: str
    watchlist: str
    folder: str
    market: str


def draw(label: str, keys: Keys) -> Fields | None:
    """Draw the choice, and return the fields of `WorkData`; None while nothing is chosen."""
    labels = {SETS: _("Data sets"), SERIES: _("Stored series"), WATCHLIST: _("Watchlist"), QLIB: _("Qlib folder")}
    ways = {SETS: _sets, SERIES: _series, WATCHLIST: _watchlist, QLIB: _qlib}
    state.default(keys.source, SETS)
    kind = st.segmented_control(
        label,
        list(labels),
        format_func=labels.__getitem__,
        required=True,
        key=keys.source,
        persist_state="session",
        width="stretch",
        wrap=True,
    )
    return ways[kind or SETS](keys)


def adopt(data: WorkData, keys: Keys) -> None:
    """Set the choice to what something was made with."""
    from kronos_app.store.series import SeriesKey

    folder = f"{QLIB}:{data.qlib_folder}"
    values: Mapping[str, Mapping[str, Any]] = {
        SETS: {keys.sets: list(data.candle_sets)},
        SERIES: {keys.series: [SeriesKey(**one.model_dump()) for one in data.series]},
        WATCHLIST: {keys.watchlist: data.watchlist},
        QLIB: {keys.folder: folder, f"{keys.market}.{folder}": data.qlib_market},
    }
    st.session_state.update({keys.source: data.kind, **values[data.kind]})


def _sets(keys: Keys) -> Fields | None:
    infos = {info.id: info for info in desk().candles.list()}
    if not infos:
        st.info(_("There is no data set yet. Upload one, or take a sample."), icon=":material/database:")
        with st.container(horizontal=True):
            label, key = _("Take a sample"), f"{keys.page}.sample"
            st.button(label, icon=":material/play_arrow:", on_click=_take_sample, args=(keys,), key=key)
            nav.link("data", _("Go to Data"), icon=":material/database:")
        return None
    labels = {
        name: f"{one.name} · {formats.span(one.interval.total_seconds())} · {formats.number(one.rows, 0)}"
        for name, one in infos.items()
    }
    current = state.candles_id()
    state.default(keys.sets, [current if current in infos else next(iter(infos))])
    st.session_state[keys.sets] = [one for one in st.session_state[keys.sets] if one in infos]
    chosen = st.multiselect(
        _("Data sets"),
        list(infos),
        format_func=labels.__getitem__,
        key=keys.sets,
        persist_state="session",
        placeholder=_("Choose one or several"),
    )
    return {"kind": SETS, "candle_sets": chosen} if chosen else None


def _take_sample(keys: Keys) -> None:
    """Keep a series that comes with the desk, and choose it."""
    service = desk().candles
    draft = service.sample(SAMPLE)
    saved = service.save(service.preview(draft, "drop"), service.inspect(draft))
    state.use_candles(saved.id)
    st.session_state[keys.sets] = [saved.id]


def _series(keys: Keys) -> Fields | None:
    infos = {info.key: info for info in desk().series.list()}
    if not infos:
        _nothing(_("Nothing is stored yet. What is fetched on the Data page stays there."))
        return None
    st.session_state[keys.series] = [key for key in st.session_state.get(keys.series, []) if key in infos]
    chosen = st.multiselect(
        _("Stored series"),
        list(infos),
        format_func=lambda key: " · ".join(filter(None, (key.symbol, key.source, key.interval, key.adjustment))),
        key=keys.series,
        persist_state="session",
        select_all=len(infos),
        placeholder=_("Choose one or several"),
    )
    return {"kind": SERIES, "series": [asdict(key) for key in chosen]} if chosen else None


def _watchlist(keys: Keys) -> Fields | None:
    lists = [one.name for one in desk().series.watchlists()]
    if not lists:
        _nothing(_("There is no watchlist yet. Make one under Stored series on the Data page."))
        return None
    if st.session_state.get(keys.watchlist) not in lists:
        st.session_state[keys.watchlist] = lists[0]
    name = st.selectbox(_("Watchlist"), lists, key=keys.watchlist, persist_state="session")
    return {"kind": WATCHLIST, "watchlist": name}


def _qlib(keys: Keys) -> Fields | None:
    family = next((one for one in desk().sources.families if one.key == QLIB), None)
    names = desk().sources.names(family) if family else ()
    if not names:
        _nothing(_("There is no Qlib folder. The administrator sets KRONOS_QLIB_FOLDERS; see docs/qlib.md."))
        return None
    first, second = st.columns(2)
    folder = first.selectbox(
        _("Folder"),
        names,
        format_func=lambda name: name.partition(":")[2],
        key=keys.folder,
        persist_state="session",
    )
    market = second.selectbox(
        _("Market"),
        desk().sources.listed(folder).markets(),
        key=f"{keys.market}.{folder}",
        persist_state="session",
    )
    return {"kind": QLIB, "qlib_folder": folder.partition(":")[2], "qlib_market": market}


def _nothing(said: str) -> None:
    st.info(said, icon=":material/database:")
    nav.link("data", _("Go to Data"), icon=":material/database:")
