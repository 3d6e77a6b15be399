"""The form for a source with lists of instruments: a market, one or many of its instruments, and the days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.source import FetchRequest
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.services.candles.sources import MOST_SERIES
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import drafts
from kronos_app.widgets.candles import keys as candles_keys
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.kit import errors, formats

REASONS_SHOWN = 5

Selection = tuple[str, tuple[FetchRequest, ...]]
"""The key of a source and the requests to it."""


def render_form(family: SourceFamily) -> list[Draft]:
    """Render the form, and return the last series read, one draft per instrument."""
    names = desk().sources.names(family)
    if not names:
        errors.render_error(
            text("This desk has no {family}.", family=family.title),
            family.setup or text(""),
        )
        return []
    selection = _render_selection(family, names)
    label = _("Read") if selection is None else _("Read {count}").format(count=len(selection[1]))
    icon = ":material/folder_open:"
    if st.button(label, type="primary", icon=icon, disabled=selection is None, key="data.listed_button"):
        st.session_state[candles_keys.LISTED_READ] = selection
    last: Selection | None = st.session_state.get(candles_keys.LISTED_READ)
    if last is None or last[0] not in names:
        return []
    read, failed = drafts.read_alone((repr(last), None), lambda: _read(*last))
    if failed:
        reasons = [f"- {errors.escape(state.say(error.message))}" for error in failed[:REASONS_SHOWN]]
        st.warning(
            "\n".join([_("{count} instruments could not be read:").format(count=len(failed)), "", *reasons]),
            icon=":material/warning:",
        )
    return read


def _render_selection(family: SourceFamily, names: Sequence[str]) -> Selection | None:
    """Return the selected series, None while no instrument is chosen."""
    grid = st.grid(2, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        key = fields.render_source_field(candles_keys.LISTED_SOURCE, _("Folder"), names, family)
    with grid.container():
        market = st.selectbox(
            _("Market"),
            desk().sources.listed(key).markets(),
            key=state.joined(candles_keys.LISTED_MARKET, key),
            persist_state="session",
        )
    symbols = _render_instruments(key, market)
    grid = st.grid(2, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        intervals = desk().sources.get(key).intervals()
        interval = fields.render_interval_field(candles_keys.FETCH_INTERVAL, key, intervals, intervals[-1].key)
    with grid.container():
        keys = (state.joined(candles_keys.FROM, key), state.joined(candles_keys.TO, key))
        bounds = (fields.EARLIEST, datetime.now(UTC).date())
        # Folders often end long ago, so no range is suggested.
        notes = (_("First day. Empty: from the earliest candle."), _("Last day. Empty: to the latest candle."))
        start, end = fields.render_day_fields(st.columns(2), keys, bounds, notes)
    options = fields.render_option_fields(candles_keys.OPTION, family)
    requests = tuple(FetchRequest(symbol, interval.key, start, end, options) for symbol in symbols)
    return (key, requests) if requests else None


def _render_instruments(key: str, market: str) -> list[str]:
    names = {instrument.symbol: instrument.name for instrument in desk().sources.listed(key).instruments(market)}
    return st.multiselect(
        _("Instruments"),
        list(names),
        format_func=lambda symbol: f"{symbol} · {names[symbol]}" if names[symbol] else symbol,
        key=state.joined(candles_keys.LISTED_SYMBOLS, key, market),
        max_selections=MOST_SERIES,
        select_all=MOST_SERIES,
        placeholder=_("Choose among {count}").format(count=formats.number(len(names), 0)),
        persist_state="session",
    )


def _read(key: str, requests: Sequence[FetchRequest]) -> tuple[list[Draft], list[AppError]]:
    label = _("Reading {done} of {count}")
    bar = st.progress(0.0)

    def on_read(done: int) -> None:
        bar.progress(done / len(requests), text=label.format(done=done, count=len(requests)))

    try:
        return desk().sources.read_all(key, requests, on_read)
    finally:
        bar.empty()
