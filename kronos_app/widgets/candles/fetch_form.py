"""The form for candles of a market source, and the job that fetches them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import streamlit as st

from kronos_app import state
from kronos_app.data.source import FetchRequest, Interval
from kronos_app.data.sources import SourceFamily
from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.services.candles import sql
from kronos_app.services.candles.fetching import KIND
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import keys
from kronos_app.widgets.candles import source_fields as fields
from kronos_app.widgets.candles.asking import find_new_job, name_job
from kronos_app.widgets.kit import errors, formats, job

DEFAULT_INTERVAL = "1d"
# The suggested range: enough candles for every model, and enough days to contain a trading day.
SUGGESTED_CANDLES = 1_500
SUGGESTED_DAYS = 5


def adopt_job() -> None:
    """Fill the form with the fetch that the address names, once."""
    job = find_new_job(KIND, keys.JOB)
    if job is None:
        return
    key = job.request["source"]
    try:
        family = desk().sources.family(key).key
    except AppError:  # The code that follows the job renders this error.
        return
    st.session_state[keys.SOURCE] = family
    st.session_state[keys.EXCHANGE] = key
    st.session_state[state.joined(keys.QUERY, key)] = job.request["symbol"]
    st.session_state[state.joined(keys.FETCH_INTERVAL, key)] = job.request["interval"]


def render_form(family: SourceFamily) -> str | None:
    """Render the form and the last fetch; return the id of its result, None while there is none."""
    names = list(fields.ask_source(("names", family.key), lambda: desk().sources.names(family)) or ())
    if not names:
        return None
    source = names[0]
    if len(names) > 1:
        source = fields.render_source_field(keys.EXCHANGE, state.say(family.title), names, family)
    request = _render_request(family, source)
    if st.button(_("Fetch"), type="primary", icon=":material/download:", disabled=request is None) and request:
        with errors.render_errors():
            name_job(desk().fetching.submit(source, request, review=True), keys.JOB)
    return _follow_job(family)


def _render_request(family: SourceFamily, source: str) -> FetchRequest | None:
    """Return the request, None while the symbol or the intervals are missing."""
    grid = st.grid(2, min_column_width=fields.NARROWEST_FIELD)
    with grid.container():
        query = fields.render_query_field(keys.QUERY, source, family)
    with grid.container():
        symbol = fields.render_instrument_field(keys.SYMBOL, source, query)
    intervals = fields.ask_source(("intervals", source), lambda: desk().sources.get(source).intervals())
    if not intervals:
        return None
    with grid.container():
        interval = fields.render_interval_field(keys.FETCH_INTERVAL, source, intervals, DEFAULT_INTERVAL)
        reach = _("No limit on how far back this interval goes.")
        if interval.reach is not None:
            span = formats.span(interval.reach.total_seconds())
            reach = _("This interval is available for the last {span} only.").format(span=span)
        st.caption(reach)
    with grid.container():
        start, end = _render_range(source, interval)
    options = fields.render_option_fields(keys.OPTION, family)
    return None if symbol is None else FetchRequest(symbol, interval.key, start, end, options)


def _render_range(source: str, interval: Interval) -> tuple[datetime | None, datetime | None]:
    now = datetime.now(UTC)
    today = now.date()
    # The first whole day within reach.
    low = fields.EARLIEST if interval.reach is None else (now - interval.reach).date() + timedelta(days=1)
    days = max(SUGGESTED_CANDLES * interval.length // timedelta(days=1), SUGGESTED_DAYS)
    first, last = (state.joined(name, source, interval.key) for name in (keys.FROM, keys.TO))
    state.default(first, max(low, today - timedelta(days=days)))
    for key in (first, last):
        state.clamp(key, low, today)
    notes = (
        _("First day, in UTC. Empty: from the earliest candle."),
        _("Last day, in UTC. Empty: to the latest completed candle."),
    )
    return fields.render_day_fields(st.columns(2), (first, last), (low, today), notes)


def _follow_job(family: SourceFamily) -> str | None:
    """Render the fetch that the address names, if its source belongs to the family; return the id of its result."""
    job_id = st.query_params.get("job")
    if job_id is None:
        return None
    named = desk().jobs.get(job_id)
    if named.kind == sql.KIND:  # The form of databases follows it.
        return None
    if named.kind != KIND:
        errors.render_error(
            text("The job {id} is not a fetch.", id=job_id), text("Choose what to fetch, then press Fetch.")
        )
        return None
    if desk().sources.family(named.request["source"]).key != family.key:
        return None
    result_id = job.await_result(job_id)
    if result_id is None and desk().jobs.get(job_id).status == "failed" and desk().candles.list():
        st.caption(_("The saved data sets below are not affected."))
    return result_id
