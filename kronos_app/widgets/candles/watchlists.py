"""Watchlists: what is on them, whether it is stored, and bringing all of it up to date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.store.watchlists import Watched, Watchlist
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm

Refresh = Callable[[Sequence[SeriesKey | Watched]], None]

COLUMNS = ("source", "symbol", "interval", "adjustment")
ADJUSTMENTS = ("adjusted", "none")
SAVED = state.DATA_WATCHLIST + ".saved"  # to be chosen by the next run: widgets drawn already keep their value


def draw(refresh: Refresh) -> None:
    """Draw the watchlists; `refresh` is called with the entries that are to be brought up to date."""
    lists = {one.name: one for one in desk().series.watchlists()}
    new = _("New watchlist")
    if (saved := st.session_state.pop(SAVED, None)) in lists:
        st.session_state[state.DATA_WATCHLIST] = saved
        st.session_state[state.DATA_WATCHLIST_NEW] = ""
    choice = st.selectbox(
        _("Watchlist"),
        ["", *lists],
        format_func=lambda name: name or new,
        key=state.DATA_WATCHLIST,
        persist_state="session",
        index=1 if lists else 0,
    )
    watchlist = lists.get(choice or "")
    name = choice if watchlist else _new_name()
    table = _table(watchlist)
    with st.container(horizontal=True):
        if st.button(_("Save the list"), key="data.watchlist.save", icon=":material/save:"):
            _save(str(name), entries_of(table))
        if watchlist is None:
            return
        ready = bool(watchlist.entries)
        if st.button(
            _("Bring the list up to date"), key="data.watchlist.refresh", icon=":material/sync:", disabled=not ready
        ):
            refresh(watchlist.entries)
        if st.button(_("Delete the list"), key="data.watchlist.delete", icon=":material/delete:", type="tertiary"):
            confirm(
                _("Delete the watchlist {name}?").format(name=watchlist.name),
                _("The series on it stay stored."),
                lambda: desk().series.delete_watchlist(watchlist.name),
            )


def draw_add(entry: Watched, name: str) -> None:
    """Draw buttons that put a series on the lists that lack it."""
    for number, one in enumerate(desk().series.watchlists()):
        if entry not in one.entries:
            label = _("Put on “{name}”").format(name=errors.escape(one.name))
            if st.button(label, key=f"{name}.watch.{number}", icon=":material/playlist_add:", width="stretch"):
                _save(one.name, [*one.entries, entry])


def _new_name() -> str:
    return st.text_input(
        _("Name of the new watchlist"), key=state.DATA_WATCHLIST_NEW, max_chars=60, placeholder=_("such as Megacaps")
    )


def _table(watchlist: Watchlist | None) -> pd.DataFrame:
    """Draw the entries, to be changed in place, and return them as they are now."""
    entries = watchlist.entries if watchlist else ()
    infos = desk().series.list()
    rows = pd.DataFrame([_row(entry, infos) for entry in entries], columns=[*COLUMNS, "stored"], dtype="object")
    sources = [name for family in desk().sources.families for name in desk().sources.names(family)]
    # What was edited belongs to the list as it was saved: a new state of that begins with a new table.
    key = f"{state.DATA_WATCHED}.{watchlist.name if watchlist else ''}.{st.session_state.get(state.DATA_WATCHED, 0)}"
    return st.data_editor(
        rows,
        num_rows="dynamic",
        hide_index=True,
        key=key,
        disabled=["stored"],
        placeholder=formats.MISSING,
        column_config={
            "source": st.column_config.SelectboxColumn(_("Source"), options=sources, required=True),
            "symbol": st.column_config.TextColumn(_("Symbol"), required=True, max_chars=100),
            "interval": st.column_config.TextColumn(_("Interval"), required=True, default="1d", max_chars=20),
            "adjustment": st.column_config.SelectboxColumn(
                _("Adjustment"), options=list(ADJUSTMENTS), help=_("Yahoo Finance and Qlib folders only.")
            ),
            "stored": st.column_config.TextColumn(_("Stored up to")),
        },
    )


def _row(entry: Watched, infos: Sequence[SeriesInfo]) -> dict[str, Any]:
    info = desk().series.stored(entry, infos)
    adjustment = entry.options.get("adjustment")
    stored = formats.MISSING if info is None else formats.time(local(info.last, info))
    return {"source": entry.source, "symbol": entry.symbol, "interval": entry.interval, "adjustment": adjustment,
            "stored": stored}  # fmt: skip


def entries_of(table: pd.DataFrame) -> list[Watched]:
    """Return the rows of an edited table as entries."""
    cells = table[list(COLUMNS)].astype(object).where(table[list(COLUMNS)].notna(), "")
    return [
        Watched(str(source), str(symbol), str(interval), {"adjustment": str(adjustment)} if adjustment else {})
        for source, symbol, interval, adjustment in cells.itertuples(index=False)
        if source or symbol
    ]


def local(moment: pd.Timestamp, info: SeriesInfo) -> pd.Timestamp:
    """Return a time in the zone of a series' exchange."""
    return moment.tz_convert(info.timezone or "UTC").tz_localize(None)


def _save(name: str, entries: Sequence[Watched]) -> None:
    try:
        kept = desk().series.save_watchlist(name, entries)
    except AppError as error:
        errors.show(error.message, error.hint)
        return
    st.session_state[SAVED] = kept.name
    st.session_state[state.DATA_WATCHED] = st.session_state.get(state.DATA_WATCHED, 0) + 1
    st.toast(_("The watchlist {name} is kept.").format(name=errors.escape(kept.name)), icon=":material/check:")
    st.rerun()
