"""The fields by which candles of a market source are asked for, wherever a form has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from kronos_app import state
from kronos_app.data.source import Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import asking
from kronos_app.widgets.candles.asking import Answer
from kronos_app.widgets.kit import formats

DEFAULT_EXCHANGE = "binance"
PLACEHOLDERS = {"yahoo": "AAPL, Apple, 600519.SS"}
NARROWEST_FIELD = 220  # pixels


def exchange(key: str, label: str, names: Sequence[str]) -> str:
    """Ask which of the sources of a family."""
    if st.session_state.get(key) not in names:
        st.session_state[key] = DEFAULT_EXCHANGE if DEFAULT_EXCHANGE in names else names[0]
    return st.selectbox(label, names, key=key, persist_state="session")


def query(key: str, source: str) -> str:
    """Ask for a symbol or a name to search by."""
    return st.text_input(
        _("Symbol or name"),
        key=state.joined(key, source),
        persist_state="session",
        placeholder=PLACEHOLDERS.get(source, "BTC/USDT"),
        max_chars=100,
        help=_("Press Enter to search."),
    ).strip()


def instrument(key: str, source: str, typed: str) -> str | None:
    """Ask which of the instruments found is meant; what was typed can be taken as the symbol itself."""
    found: Sequence[Instrument] = ()
    if typed:
        found = asked(("search", source, typed), lambda: desk().sources.search(source, typed)) or ()
    labels = {one.symbol: " · ".join(filter(None, (one.symbol, one.name, one.exchange))) for one in found}
    same = next((symbol for symbol in labels if symbol.casefold() == typed.casefold()), None)
    if typed and same is None:
        labels[typed] = _("“{symbol}” as typed").format(symbol=typed)
    return st.selectbox(
        _("Instrument"),
        list(labels),
        index=list(labels).index(same) if same else 0 if labels else None,
        format_func=labels.__getitem__,
        key=state.joined(key, source, typed),
        placeholder=_("Search first"),
        disabled=not labels,
    )


def interval(key: str, source: str, intervals: Sequence[Interval], usual: str) -> Interval:
    """Ask for the length of a candle; `usual` is suggested where there is one of that key."""
    known = {one.key: one for one in intervals}
    labels = {name: f"{name} · {formats.span(one.length.total_seconds())}" for name, one in known.items()}
    key = state.joined(key, source)
    if st.session_state.get(key) not in known:
        st.session_state[key] = usual if usual in known else next(iter(known))
    return known[
        st.selectbox(_("Interval"), list(known), format_func=labels.__getitem__, key=key, persist_state="session")
    ]


def options(key: str, family: SourceFamily) -> Mapping[str, str]:
    """Ask for what only this family asks for."""
    if family.key != "yahoo":
        return {}
    state.default(key, True)
    adjusted = st.toggle(
        _("Adjusted for splits and dividends"),
        key=key,
        persist_state="session",
        help=_("Off: for splits alone, as intraday prices always are."),
    )
    return {"adjustment": "adjusted" if adjusted else "none"}


def asked(question: tuple[str, ...], ask: Callable[[], Answer]) -> Answer | None:
    """Return the answer to a question that goes to a source, see `asking.asked`."""
    return asking.asked(question, ask, meanwhile=_("Asking the source …"))
