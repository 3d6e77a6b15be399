"""Asking a Qlib folder for candles: a market, instruments of it, one or many, and the days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

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
from kronos_app.widgets.kit import errors, formats

EARLIEST = date(1900, 1, 1)
NARROWEST_FIELD = 220  # pixels
REASONS_SHOWN = 5

Asked = tuple[str, tuple[FetchRequest, ...]]


def draw(family: SourceFamily) -> list[Draft]:
    """Draw the form, and return what was read last, one draft an instrument."""
    names = desk().sources.names(family)
    if not names:
        errors.show(
            text("There is no Qlib folder on this desk."),
            text("Whoever runs this desk sets KRONOS_QLIB_FOLDERS to what Qlib calls provider_uri; see docs/qlib.md."),
        )
        return []
    asked = _ask(names)
    label = _("Read") if asked is None else _("Read {count}").format(count=len(asked[1]))
    if st.button(label, type="primary", icon=":material/folder_open:", disabled=asked is None, key="data.qlib_button"):
        st.session_state[state.DATA_QLIB_READ] = asked
    last: Asked | None = st.session_state.get(state.DATA_QLIB_READ)
    if last is None or last[0] not in names:
        return []
    found, failed = drafts.kept_alone((_key(last), None), lambda: _read(last))
    if failed:
        reasons = [f"- {errors.escape(state.say(error.message))}" for error in failed[:REASONS_SHOWN]]
        st.warning(
            "\n".join([_("{count} instruments could not be read:").format(count=len(failed)), "", *reasons]),
            icon=":material/warning:",
        )
    return found


def _ask(names: Sequence[str]) -> Asked | None:
    """Ask for everything; None while no instrument is chosen."""
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    with fields.container():
        key = st.selectbox(
            _("Folder"),
            names,
            format_func=lambda name: name.partition(":")[2],
            key=state.DATA_QLIB_FOLDER,
            persist_state="session",
        )
    with fields.container():
        market = st.selectbox(
            _("Market"),
            desk().sources.listed(key).markets(),
            key=f"{state.DATA_QLIB_MARKET}.{key}",
            persist_state="session",
        )
    symbols = _symbols(key, market)
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    intervals = {interval.key: interval for interval in desk().sources.get(key).intervals()}
    lengths = {name: f"{name} · {formats.span(one.length.total_seconds())}" for name, one in intervals.items()}
    with fields.container():
        interval = st.selectbox(
            _("Interval"),
            list(intervals),
            len(intervals) - 1,
            format_func=lengths.__getitem__,
            key=f"{state.DATA_FETCH_INTERVAL}.{key}",
            persist_state="session",
        )
    with fields.container():
        start, end = _days(key)
    state.default(state.DATA_ADJUSTED, True)
    adjusted = st.toggle(
        _("Adjusted for splits and dividends"),
        key=state.DATA_ADJUSTED,
        persist_state="session",
        help=_("Off: prices as they were traded, with the folder's factor taken out."),
    )
    options = {"adjustment": "adjusted" if adjusted else "none"}
    requests = tuple(FetchRequest(symbol, interval, start, end, options) for symbol in symbols)
    return (key, requests) if requests else None


def _symbols(key: str, market: str) -> list[str]:
    names = {one.symbol: one.name for one in desk().sources.listed(key).instruments(market)}
    return st.multiselect(
        _("Instruments"),
        list(names),
        format_func=lambda symbol: f"{symbol} · {names[symbol]}" if names[symbol] else symbol,
        key=f"{state.DATA_QLIB_SYMBOLS}.{key}.{market}",
        max_selections=MOST_SERIES,
        select_all=MOST_SERIES,
        placeholder=_("Choose among {count}").format(count=formats.number(len(names), 0)),
        persist_state="session",
    )


def _days(key: str) -> tuple[datetime | None, datetime | None]:
    """Ask for the first and the last day; folders often end long ago, so that none is suggested."""
    today = datetime.now(UTC).date()
    left, right = st.columns(2)
    start = left.date_input(
        _("From"),
        None,
        EARLIEST,
        today,
        key=f"{state.DATA_FROM}.{key}",
        persist_state="session",
        help=_("The first day. Empty: from the earliest candle there is."),
    )
    end = right.date_input(
        _("To"),
        None,
        EARLIEST,
        today,
        key=f"{state.DATA_TO}.{key}",
        persist_state="session",
        help=_("The last day. Empty: up to the latest candle there is."),
    )
    return _midnight(start), _midnight(end and end + timedelta(days=1))


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _read(asked: Asked) -> tuple[list[Draft], list[AppError]]:
    key, requests = asked
    words = _("Reading {done} of {count}")
    bar = st.progress(0.0)

    def on_read(done: int) -> None:
        bar.progress(done / len(requests), text=words.format(done=done, count=len(requests)))

    try:
        return desk().sources.read_all(key, requests, on_read)
    finally:
        bar.empty()


def _key(asked: Asked) -> str:
    """Return a text that tells what was asked for from all else."""
    return repr(asked)
