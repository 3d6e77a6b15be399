"""Watchlists: their entries, which of them are stored, and refreshing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.services.candles.series import LONGEST_NAME
from kronos_app.state import gettext as _
from kronos_app.store.series import SeriesInfo, SeriesKey
from kronos_app.store.watchlists import Watched, Watchlist
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm

Refresh = Callable[[Sequence[SeriesKey | Watched]], None]

COLUMNS = ("source", "symbol", "interval", "adjustment")
SAVED = keys.WATCHLIST + ".saved"  # the list to select in the next run: a rendered widget keeps its value


def render_watchlists(refresh: Refresh) -> None:
    """Render the watchlists; `refresh` is called with the entries to refresh."""
    lists = {watchlist.name: watchlist for watchlist in desk().series.watchlists()}
    new = _("New watchlist")
    if (saved := st.session_state.pop(SAVED, None)) in lists:
        st.session_state[keys.WATCHLIST] = saved
        st.session_state[keys.WATCHLIST_NEW] = ""
    choice = st.selectbox(
        _("Watchlist"),
        ["", *lists],
        format_func=lambda name: name or new,
        key=keys.WATCHLIST,
        persist_state="session",
        index=1 if lists else 0,
    )
    watchlist = lists.get(choice or "")
    name = choice
    if watchlist is None:
        label, example = _("Name of the new watchlist"), _("such as Megacaps")
        name = st.text_input(label, key=keys.WATCHLIST_NEW, max_chars=LONGEST_NAME, placeholder=example)
    table = _render_table(watchlist)
    with st.container(horizontal=True):
        if st.button(_("Save the list"), key="data.watchlist.save", icon=":material/save:"):
            _save(str(name), read_entries(table))
        if watchlist is None:
            return
        empty = not watchlist.entries
        if st.button(_("Refresh the list"), key="data.watchlist.refresh", icon=":material/sync:", disabled=empty):
            refresh(watchlist.entries)
        if st.button(_("Delete the list"), key="data.watchlist.delete", icon=":material/delete:", type="tertiary"):
            confirm(
                _("Delete the watchlist {name}?").format(name=watchlist.name),
                _("Its series are not deleted."),
                lambda: desk().series.delete_watchlist(watchlist.name),
            )


def render_add_buttons(entry: Watched, name: str) -> None:
    """Render buttons that add a series to the lists without it."""
    for number, watchlist in enumerate(desk().series.watchlists()):
        if entry not in watchlist.entries:
            label = _("Add to “{name}”").format(name=errors.escape(watchlist.name))
            if st.button(label, key=f"{name}.watch.{number}", icon=":material/playlist_add:", width="stretch"):
                _save(watchlist.name, [*watchlist.entries, entry])


def _render_table(watchlist: Watchlist | None) -> pd.DataFrame:
    """Render the entries as an editable table, and return it."""
    entries = watchlist.entries if watchlist else ()
    infos = desk().series.list()
    rows = pd.DataFrame([_row(entry, infos) for entry in entries], columns=[*COLUMNS, "stored"], dtype="object")
    families = desk().sources.families
    sources = [name for family in families for name in desk().sources.names(family)]
    adjusted = {family.key: values for family in families if (values := _adjustments(family))}
    # Edits belong to a saved state of the list: after the next save the table starts again.
    key = f"{keys.WATCHED}.{watchlist.name if watchlist else ''}.{st.session_state.get(keys.WATCHED, 0)}"
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
                _("Adjustment"),
                options=list(dict.fromkeys(value for values in adjusted.values() for value in values)),
                help=_("Only for {sources}.").format(
                    sources=", ".join(state.say(family.title) for family in families if family.key in adjusted)
                ),
            ),
            "stored": st.column_config.TextColumn(_("Stored up to")),
        },
    )


def _adjustments(family: SourceFamily) -> list[str]:
    return [value for option in family.options if option.name == "adjustment" for value in (option.on, option.off)]


def _row(entry: Watched, infos: Sequence[SeriesInfo]) -> dict[str, Any]:
    info = desk().series.stored(entry, infos)
    stored = formats.MISSING if info is None else formats.time(local(info.last, info))
    cells = {"adjustment": entry.options.get("adjustment"), "stored": stored}
    return {"source": entry.source, "symbol": entry.symbol, "interval": entry.interval, **cells}


def read_entries(table: pd.DataFrame) -> list[Watched]:
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
        saved = desk().series.save_watchlist(name, entries)
    except AppError as error:
        errors.render_error(error.message, error.hint)
        return
    st.session_state[SAVED] = saved.name
    st.session_state[keys.WATCHED] = st.session_state.get(keys.WATCHED, 0) + 1
    st.toast(_("The watchlist {name} is saved.").format(name=errors.escape(saved.name)), icon=":material/check:")
    st.rerun()
