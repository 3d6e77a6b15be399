"""Asking a market source for candles: what to fetch, and the job that fetches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.data.source import FetchRequest, Instrument, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.services.fetching import KIND
from kronos_app.widgets import errors, formats, job

Answer = TypeVar("Answer")

DEFAULT_EXCHANGE = "binance"
DEFAULT_INTERVAL = "1d"
# What a form suggests: enough candles for every model, and days enough to meet a trading day.
SUGGESTED_CANDLES = 1_500
SUGGESTED_DAYS = 5
EARLIEST = date(1900, 1, 1)
ANSWERS_KEPT = 30
PLACEHOLDERS = {"yahoo": "AAPL, Apple, 600519.SS"}
NARROWEST_FIELD = 220  # pixels


def adopt() -> None:
    """Set the form to the fetch that the address names, once: a link opens on its source."""
    job_id = st.query_params.get("job")
    if job_id is None or st.session_state.get(state.DATA_JOB) == job_id:
        return
    st.session_state[state.DATA_JOB] = job_id
    with suppress(AppError):  # Whoever follows the job says what is wrong with it.
        asked = desk().jobs.get(job_id)
        if asked.kind == KIND:
            key = asked.request["source"]
            st.session_state[state.DATA_SOURCE] = desk().fetching.family(key).key
            st.session_state[state.DATA_EXCHANGE] = key
            st.session_state[_key(state.DATA_QUERY, key)] = asked.request["symbol"]
            st.session_state[_key(state.DATA_FETCH_INTERVAL, key)] = asked.request["interval"]


def draw(family: SourceFamily) -> str | None:
    """Draw the form, and the last fetch below it; return the id of what it brought, None while there is nothing."""
    source = _exchange(family)
    if source is None:
        return None
    request = _request(family, source)
    _ = state.gettext()
    if st.button(_("Fetch"), type="primary", icon=":material/download:", disabled=request is None) and request:
        with errors.shown():
            job_id = desk().fetching.submit(source, request, review=True)
            st.session_state[state.DATA_JOB] = job_id
            st.query_params["job"] = job_id
    return _follow(family)


def _exchange(family: SourceFamily) -> str | None:
    _ = state.gettext()
    names = list(_asked(("names", family.key), lambda: desk().fetching.names(family)) or ())
    if len(names) < 2:
        return next(iter(names), None)
    known = st.session_state.get(state.DATA_EXCHANGE)
    if known not in names:
        st.session_state[state.DATA_EXCHANGE] = DEFAULT_EXCHANGE if DEFAULT_EXCHANGE in names else names[0]
    return st.selectbox(_("Exchange"), names, key=state.DATA_EXCHANGE, persist_state="session")


def _request(family: SourceFamily, source: str) -> FetchRequest | None:
    """Ask for everything; None while the symbol or the intervals are missing."""
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    with fields.container():
        query = _query(source)
    with fields.container():
        symbol = _instrument(source, query)
    intervals = _asked(("intervals", source), lambda: desk().fetching.intervals(source))
    if not intervals:
        return None
    with fields.container():
        interval = _interval(source, intervals)
    with fields.container():
        start, end = _range(source, interval)
    options = _options(family)
    return None if symbol is None else FetchRequest(symbol, interval.key, start, end, options)


def _query(source: str) -> str:
    _ = state.gettext()
    return st.text_input(
        _("Symbol or name"),
        key=_key(state.DATA_QUERY, source),
        persist_state="session",
        placeholder=PLACEHOLDERS.get(source, "BTC/USDT"),
        max_chars=100,
        help=_("Press Enter to search."),
    ).strip()


def _instrument(source: str, query: str) -> str | None:
    """Ask which of the instruments found is meant; what was typed can be taken as the symbol itself."""
    _ = state.gettext()
    found: Sequence[Instrument] = ()
    if query:
        found = _asked(("search", source, query), lambda: desk().fetching.search(source, query)) or ()
    labels = {one.symbol: " · ".join(filter(None, (one.symbol, one.name, one.exchange))) for one in found}
    same = next((symbol for symbol in labels if symbol.casefold() == query.casefold()), None)
    if query and same is None:
        labels[query] = _("“{symbol}” as typed").format(symbol=query)
    return st.selectbox(
        _("Instrument"),
        list(labels),
        index=list(labels).index(same) if same else 0 if labels else None,
        format_func=labels.__getitem__,
        key=_key(state.DATA_SYMBOL, source, query),
        placeholder=_("Search first"),
        disabled=not labels,
    )


def _interval(source: str, intervals: Sequence[Interval]) -> Interval:
    _ = state.gettext()
    known = {interval.key: interval for interval in intervals}
    labels = {name: f"{name} · {formats.span(known[name].length.total_seconds())}" for name in known}
    key = _key(state.DATA_FETCH_INTERVAL, source)
    if st.session_state.get(key) not in known:
        st.session_state[key] = DEFAULT_INTERVAL if DEFAULT_INTERVAL in known else next(iter(known))
    chosen = st.selectbox(
        _("Interval"),
        list(known),
        format_func=labels.__getitem__,
        key=key,
        persist_state="session",
    )
    reach = known[chosen].reach
    st.caption(
        _("At this interval there is no limit to how far back you can ask.")
        if reach is None
        else _("At this interval there are candles of the last {span} only.").format(
            span=formats.span(reach.total_seconds())
        )
    )
    return known[chosen]


def _range(source: str, interval: Interval) -> tuple[datetime | None, datetime | None]:
    """Ask for the first and the last day; an empty one leaves the range open on its side."""
    _ = state.gettext()
    now = datetime.now(UTC)
    today = now.date()
    # The first whole day within reach.
    low = EARLIEST if interval.reach is None else (now - interval.reach).date() + timedelta(days=1)
    days = max(SUGGESTED_CANDLES * interval.length // timedelta(days=1), SUGGESTED_DAYS)
    first, last = (_key(name, source, interval.key) for name in (state.DATA_FROM, state.DATA_TO))
    state.default(first, max(low, today - timedelta(days=days)))
    for key in (first, last):
        state.clamp(key, low, today)
    left, right = st.columns(2)
    # None, because only a date input without a value of its own can be emptied.
    start = left.date_input(
        _("From"),
        None,
        low,
        today,
        key=first,
        persist_state="session",
        help=_("The first day, in UTC. Empty: from the earliest candle there is."),
    )
    end = right.date_input(
        _("To"),
        None,
        low,
        today,
        key=last,
        persist_state="session",
        help=_("The last day, in UTC. Empty: up to the latest candle that has ended."),
    )
    return _midnight(start), _midnight(end and end + timedelta(days=1))


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)


def _options(family: SourceFamily) -> Mapping[str, str]:
    _ = state.gettext()
    if family.key != "yahoo":
        return {}
    state.default(state.DATA_ADJUSTED, True)
    adjusted = st.toggle(
        _("Adjusted for splits and dividends"),
        key=state.DATA_ADJUSTED,
        persist_state="session",
        help=_("Off: for splits alone, as intraday prices always are."),
    )
    return {"adjustment": "adjusted" if adjusted else "none"}


def _follow(family: SourceFamily) -> str | None:
    """Draw the fetch that the address names, if it is one of this family."""
    _ = state.gettext()
    job_id = st.query_params.get("job")
    if job_id is None:
        return None
    asked = desk().jobs.get(job_id)
    if asked.kind == "query":  # of a database, whose form follows it
        return None
    if asked.kind != KIND:
        errors.show(text("The work {id} is no fetch.", id=job_id), text("Choose what to fetch, then press Fetch."))
        return None
    if desk().fetching.family(asked.request["source"]).key != family.key:
        return None
    result_id = job.follow(job_id)
    if result_id is None and desk().jobs.get(job_id).status == "failed" and desk().candles.list():
        st.caption(_("The data sets kept here are not touched: they are below, and can be used."))
    return result_id


def _asked(question: tuple[str, ...], ask: Callable[[], Answer]) -> Answer | None:
    """Return the answer to a question that goes to a source; asked once, not at every click, failures included."""
    _ = state.gettext()
    answers: dict[tuple[str, ...], Answer | AppError] = st.session_state.setdefault(state.DATA_ANSWERS, {})
    if question not in answers:
        while len(answers) >= ANSWERS_KEPT:
            del answers[next(iter(answers))]
        with st.spinner(_("Asking the source …")):
            try:
                answers[question] = ask()
            except AppError as error:
                answers[question] = error
    answer = answers[question]
    if not isinstance(answer, AppError):
        return answer
    errors.show(answer.message, answer.hint)
    if st.button(_("Ask again"), key=_key(state.DATA_AGAIN, *question), icon=":material/refresh:"):
        del answers[question]
        st.rerun()
    return None


def _key(*parts: str) -> str:
    return ".".join(parts)
