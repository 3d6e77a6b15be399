"""The choice of candles: data sets, stored series, a watchlist, a Qlib folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.selection.request import CandleSelection
from kronos_app.state import gettext as _
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.widgets.kit import formats, names

SETS, SERIES, WATCHLIST, QLIB = "candle_sets", "series", "watchlist", "qlib"
SAMPLE = "sp500"
Fields = dict[str, Any]


@dataclass(frozen=True)
class CandlePicker:
    """The choice of candles on a page; its session keys are `PAGE.source`, `PAGE.sets` and so on."""

    page: str

    def pick(self, label: str) -> Fields | None:
        """Render the choice and return the fields of a `CandleSelection`, None until something is chosen."""
        kinds = self.kinds()
        state.default(self.key("source"), SETS)
        kind = st.segmented_control(
            label,
            list(kinds),
            format_func=lambda name: kinds[name][0],
            required=True,
            key=self.key("source"),
            persist_state="session",
            width="stretch",
            wrap=True,
        )
        return kinds[kind or SETS][1]()

    def adopt(self, selection: CandleSelection) -> None:
        """Set the choice to a selection."""
        st.session_state.update({self.key("source"): selection.kind, **self.values(selection)})

    def key(self, name: str) -> str:
        """Return the session key of a widget."""
        return f"{self.page}.{name}"

    def kinds(self) -> dict[str, tuple[str, Callable[[], Fields | None]]]:
        """Return the labels and widgets of the kinds of candles."""
        return {
            SETS: (_("Data sets"), self._pick_sets),
            SERIES: (_("Stored series"), self._pick_series),
            WATCHLIST: (_("Watchlist"), self._pick_watchlist),
            QLIB: (_("Qlib folder"), self._pick_qlib),
        }

    def values(self, selection: CandleSelection) -> Fields:
        """Return the session values of a selection."""
        folder = f"{QLIB}:{selection.qlib_folder}"
        values: dict[str, Fields] = {
            SETS: {"sets": list(selection.candle_sets)},
            SERIES: {"series": [SeriesKey(**choice.model_dump()) for choice in selection.series]},
            WATCHLIST: {"watchlist": selection.watchlist},
            QLIB: {"folder": folder, f"market.{folder}": selection.qlib_market},
        }
        return {self.key(name): value for name, value in values[selection.kind].items()}

    def qlib_settings(self, folder: str) -> Fields:
        """Render the settings of a Qlib folder and return their fields."""
        return {"qlib_market": self._pick_market(folder)}

    def _pick_sets(self) -> Fields | None:
        key = self.key("sets")
        infos = {info.id: info for info in desk().candles.list()}
        chosen: list[str] = []
        if infos:
            current = state.candles_id()
            state.default(key, [current if current in infos else next(iter(infos))])
            st.session_state[key] = [name for name in st.session_state[key] if name in infos]
            chosen = st.multiselect(
                _("Data sets"),
                list(infos),
                format_func=lambda name: (
                    f"{names.shorten(infos[name].title)} · {formats.span(infos[name].interval.total_seconds())} · "
                    f"{formats.number(infos[name].rows, 0)}"
                ),
                key=key,
                persist_state="session",
                placeholder=_("Choose one or several"),
                help=names.tooltip(infos[name].title for name in st.session_state[key]),
            )
        else:
            st.info(_("There is no data set yet. Upload one, or take a sample."), icon=":material/database:")
        if not chosen:
            with st.container(horizontal=True):
                icon = ":material/play_arrow:"
                st.button(_("Take a sample"), icon=icon, on_click=self._take_sample, key=self.key("sample"))
                nav.link("data", _("Go to Data"), icon=":material/database:")
            return None
        return {"kind": SETS, "candle_sets": chosen}

    def _take_sample(self) -> None:
        """Save a bundled series and choose it."""
        service = desk().candles
        saved = service.keep(service.sample(SAMPLE), "drop")
        state.use_candles(saved.id)
        st.session_state[self.key("sets")] = [saved.id]

    def _pick_series(self) -> Fields | None:
        key = self.key("series")
        infos = {info.key: info for info in desk().series.list()}
        if not infos:
            return _render_nothing(
                _("No series is stored yet. Series fetched on the Data page are stored and can be used here.")
            )
        st.session_state[key] = [series for series in st.session_state.get(key, []) if series in infos]
        chosen = st.multiselect(
            _("Stored series"),
            list(infos),
            format_func=lambda series: _series_label(infos[series]),
            key=key,
            persist_state="session",
            select_all=len(infos),
            placeholder=_("Choose one or several"),
        )
        return {"kind": SERIES, "series": [asdict(series) for series in chosen]} if chosen else None

    def _pick_watchlist(self) -> Fields | None:
        key = self.key("watchlist")
        lists = {watchlist.name: watchlist for watchlist in desk().series.watchlists()}
        if not lists:
            return _render_nothing(_("There is no watchlist yet. Make one under Stored series on the Data page."))
        if st.session_state.get(key) not in lists:
            st.session_state[key] = next(iter(lists))
        name = st.selectbox(_("Watchlist"), list(lists), key=key, persist_state="session")
        entries, infos = lists[name].entries, desk().series.list()
        stored = sum(desk().series.stored(entry, infos) is not None for entry in entries)
        caption = _("{stored} of its {count} series are stored and will be used.")
        st.caption(caption.format(stored=stored, count=len(entries)))
        return {"kind": WATCHLIST, "watchlist": name}

    def _pick_qlib(self) -> Fields | None:
        family = next((source for source in desk().sources.families if source.key == QLIB), None)
        names = desk().sources.names(family) if family else ()
        if not names:
            return _render_nothing(
                _("There is no Qlib folder. The administrator sets KRONOS_QLIB_FOLDERS; see docs/qlib.md.")
            )
        folder = st.selectbox(
            _("Folder"),
            names,
            format_func=lambda name: name.partition(":")[2],
            key=self.key("folder"),
            persist_state="session",
        )
        return {"kind": QLIB, "qlib_folder": folder.partition(":")[2], **self.qlib_settings(folder)}

    def _pick_market(self, folder: str) -> str:
        markets = desk().sources.listed(folder).markets()
        key = self.key(f"market.{folder}")
        return str(st.selectbox(_("Market"), markets, key=key, persist_state="session"))


def _series_label(info: SeriesInfo) -> str:
    key = info.key
    parts = (key.symbol, key.source, key.interval, key.adjustment, formats.number(info.rows, 0))
    return " · ".join(filter(None, parts))


def _render_nothing(message: str) -> Fields | None:
    """Render that there is nothing to choose and return None."""
    st.info(message, icon=":material/database:")
    nav.link("data", _("Go to Data"), icon=":material/database:")
    return None
