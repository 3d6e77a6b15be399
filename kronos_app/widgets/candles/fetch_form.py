"""Asking a market source for candles: what to fetch, and the job that fetches it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from kronos_app import state
from kronos_app.data.source import FetchRequest, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.services.candles.fetching import KIND
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.kit import errors, formats, job

DEFAULT_INTERVAL = "1d"
# What a form suggests: enough candles for every model, and days enough to meet a trading day.
SUGGESTED_CANDLES = 1_500
SUGGESTED_DAYS = 5
EARLIEST = date(1900, 1, 1)


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
            st.session_state[state.DATA_SOURCE] = desk().sources.family(key).key
            st.session_state[state.DATA_EXCHANGE] = key
            st.session_state[state.joined(state.DATA_QUERY, key)] = asked.request["symbol"]
            st.session_state[state.joined(state.DATA_FETCH_INTERVAL, key)] = asked.request["interval"]


def draw(family: SourceFamily) -> str | None:
    """Draw the form, and the last fetch below it; return the id of what it brought, None while there is nothing."""
    source = _exchange(family)
    if source is None:
        return None
    request = _request(family, source)
    if st.button(_("Fetch"), type="primary", icon=":material/download:", disabled=request is None) and request:
        with errors.shown():
            job_id = desk().fetching.submit(source, request, review=True)
            st.session_state[state.DATA_JOB] = job_id
            st.query_params["job"] = job_id
    return _follow(family)


def _exchange(family: SourceFamily) -> str | None:
    names = list(fields.asked(("names", family.key), lambda: desk().sources.names(family)) or ())
    return next(iter(names), None) if len(names) < 2 else fields.exchange(state.DATA_EXCHANGE, _("Exchange"), names)


def _request(family: SourceFamily, source: str) -> FetchRequest | None:
    """Ask for everything; None while the symbol or the intervals are missing."""
    grid = st.grid(2, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        query = fields.query(state.DATA_QUERY, source)
    with grid.container():
        symbol = fields.instrument(state.DATA_SYMBOL, source, query)
    intervals = fields.asked(("intervals", source), lambda: desk().sources.get(source).intervals())
    if not intervals:
        return None
    with grid.container():
        interval = _interval(source, intervals)
    with grid.container():
        start, end = _range(source, interval)
    options = fields.options(state.DATA_ADJUSTED, family)
    return None if symbol is None else FetchRequest(symbol, interval.key, start, end, options)


def _interval(source: str, intervals: Sequence[Interval]) -> Interval:
    chosen = fields.interval(state.DATA_FETCH_INTERVAL, source, intervals, DEFAULT_INTERVAL)
    st.caption(
        _("At this interval there is no limit to how far back you can ask.")
        if chosen.reach is None
        else _("At this interval there are candles of the last {span} only.").format(
            span=formats.span(chosen.reach.total_seconds())
        )
    )
    return chosen


def _range(source: str, interval: Interval) -> tuple[datetime | None, datetime | None]:
    """Ask for the first and the last day; an empty one leaves the range open on its side."""
    now = datetime.now(UTC)
    today = now.date()
    # The first whole day within reach.
    low = EARLIEST if interval.reach is None else (now - interval.reach).date() + timedelta(days=1)
    days = max(SUGGESTED_CANDLES * interval.length // timedelta(days=1), SUGGESTED_DAYS)
    first, last = (state.joined(name, source, interval.key) for name in (state.DATA_FROM, state.DATA_TO))
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


def _follow(family: SourceFamily) -> str | None:
    """Draw the fetch that the address names, if it is one of this family."""
    job_id = st.query_params.get("job")
    if job_id is None:
        return None
    asked = desk().jobs.get(job_id)
    if asked.kind == "query":  # of a database, whose form follows it
        return None
    if asked.kind != KIND:
        errors.show(text("The work {id} is no fetch.", id=job_id), text("Choose what to fetch, then press Fetch."))
        return None
    if desk().sources.family(asked.request["source"]).key != family.key:
        return None
    result_id = job.follow(job_id)
    if result_id is None and desk().jobs.get(job_id).status == "failed" and desk().candles.list():
        st.caption(_("The data sets kept here are not touched: they are below, and can be used."))
    return result_id
