"""Form fields for candles of a market source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles.asking import Answer, ask_once
from kronos_app.widgets.kit import formats

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

NARROWEST_FIELD = 220  # pixels
EARLIEST = date(1900, 1, 1)


def render_source_field(key: str, label: str, names: Sequence[str], family: SourceFamily) -> str:
    """Return the chosen source of a family."""
    if st.session_state.get(key) not in names:
        st.session_state[key] = family.suggested if family.suggested in names else names[0]
    return st.selectbox(
        label, names, format_func=lambda name: name.rpartition(":")[2], key=key, persist_state="session"
    )


def render_query_field(key: str, source: str, family: SourceFamily) -> str:
    """Return the symbol or name to search for."""
    return st.text_input(
        _("Symbol or name"),
        key=state.joined(key, source),
        persist_state="session",
        placeholder=family.placeholder,
        max_chars=100,
        help=_("Press Enter to search."),
    ).strip()


def render_instrument_field(key: str, source: str, query: str) -> str | None:
    """Return the symbol chosen from the search results, or the query itself as a symbol."""
    results: Sequence[Instrument] = ()
    if query:
        results = ask_source(("search", source, query), lambda: desk().sources.search(source, query)) or ()
    labels = {one.symbol: " · ".join(filter(None, (one.symbol, one.name, one.exchange))) for one in results}
    same = next((symbol for symbol in labels if symbol.casefold() == query.casefold()), None)
    if query and same is None:
        labels[query] = _("“{symbol}” as typed").format(symbol=query)
    return st.selectbox(
        _("Instrument"),
        list(labels),
        index=list(labels).index(same) if same else 0 if labels else None,
        format_func=labels.__getitem__,
        key=state.joined(key, source, query),
        placeholder=_("Search first"),
        disabled=not labels,
    )


def render_interval_field(key: str, source: str, intervals: Sequence[Interval], suggested: str) -> Interval:
    """Return the chosen candle length; `suggested` is preselected where the source has it."""
    by_key = {interval.key: interval for interval in intervals}
    labels = {name: f"{name} · {formats.span(interval.length.total_seconds())}" for name, interval in by_key.items()}
    key = state.joined(key, source)
    if st.session_state.get(key) not in by_key:
        st.session_state[key] = suggested if suggested in by_key else next(iter(by_key))
    return by_key[
        st.selectbox(_("Interval"), list(by_key), format_func=labels.__getitem__, key=key, persist_state="session")
    ]


def render_option_fields(key: str, family: SourceFamily) -> dict[str, str]:
    """Return the chosen value of each option of a family."""
    values = {}
    for option in family.options:
        field = state.joined(key, option.name)
        state.default(field, True)
        on = st.toggle(state.say(option.title), key=field, persist_state="session", help=state.say(option.help))
        values[option.name] = option.on if on else option.off
    return values


def render_day_fields(
    columns: Sequence[DeltaGenerator],
    keys: tuple[str, str],
    bounds: tuple[date, date],
    notes: tuple[str, str],
    zone: tzinfo | None = UTC,
) -> tuple[datetime | None, datetime | None]:
    """Return the chosen range, from the start of the first day to the end of the last; None for an empty field.

    `notes` say in which zone the first and last day are, and what an empty field means.
    """
    labels = (_("From"), _("To"))
    # The value is None because only a date input without a default can be emptied.
    first, last = (
        column.date_input(label, None, *bounds, key=key, persist_state="session", help=note)
        for column, label, key, note in zip(columns, labels, keys, notes, strict=True)
    )
    start = None if first is None else datetime.combine(first, time(), zone)
    return start, None if last is None else datetime.combine(last + timedelta(days=1), time(), zone)


def ask_source(question: tuple[str, ...], ask: Callable[[], Answer]) -> Answer | None:
    """Return the answer of a source; see `ask_once`."""
    return ask_once(question, ask, waiting=_("Asking the source …"))
