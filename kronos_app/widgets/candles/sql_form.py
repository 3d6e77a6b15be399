"""The form for candles of a database: a table or a query, the roles of its columns, and the job that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.sql.reader import Preview
from kronos_app.data.sql.request import COLUMNS, NEEDED, SqlRequest
from kronos_app.data.sql.statement import LONGEST
from kronos_app.data.upload.columns import shorten, unique_labels
from kronos_app.runtime import desk
from kronos_app.services.candles.sql import KIND
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import drafts
from kronos_app.widgets.candles import keys as candles_keys
from kronos_app.widgets.candles.asking import Answer, Question, ask_once, find_new_job, forget, name_job
from kronos_app.widgets.candles.column_roles import choose_roles
from kronos_app.widgets.candles.source_fields import EARLIEST, NARROWEST_FIELD, render_day_fields
from kronos_app.widgets.kit import errors, job

LONGEST_ORIGIN = 120  # characters
QUERY_HEIGHT = 150  # pixels
PREVIEW_HEIGHT = 260
EXAMPLE = "SELECT time, open, high, low, close, volume\nFROM candles\nWHERE symbol = 'AAPL'"


def adopt_job() -> None:
    """Fill the form with the reading that the address names, once."""
    job = find_new_job(KIND, candles_keys.SQL_JOB)
    if job is None:
        return
    name, query = job.request["connection"], job.request["query"]
    values = {candles_keys.SQL_WAY: "query" if query else "table"}
    if query:
        values |= {candles_keys.SQL_QUERY: query, candles_keys.SQL_SHOWN: query}
    else:
        values |= {candles_keys.SQL_TABLE: job.request["table"]}
    st.session_state[candles_keys.SOURCE] = "sql"
    st.session_state[candles_keys.SQL_CONNECTION] = name
    for key, value in values.items():
        st.session_state[state.joined(key, name)] = value


def render_form() -> Draft | None:
    """Render the form and the last reading; return its result, None while there is none."""
    name = _render_connection()
    if name is None:
        return None
    request = _render_request(name)
    label, icon = _("Read candles"), ":material/database:"
    if st.button(label, type="primary", icon=icon, disabled=request is None, key="data.sql_button") and request:
        with errors.render_errors():
            name_job(desk().sql.submit(name, request, review=True), candles_keys.SQL_JOB)
    result_id = _follow_job(name)
    return None if result_id is None else drafts.read_alone((result_id, None), lambda: desk().fetched.get(result_id))


def _render_connection() -> str | None:
    titles = {connection.name: connection.title for connection in desk().sql.connections()}
    if not titles:
        st.info(
            _("No database is connected to this desk.")
            + "\n\n"
            + _("The administrator names connections in `.streamlit/secrets.toml`; see docs/sql.md."),
            icon=":material/database_off:",
        )
        return None
    if st.session_state.get(candles_keys.SQL_CONNECTION) not in titles:
        st.session_state[candles_keys.SQL_CONNECTION] = next(iter(titles))
    grid = st.grid(2, min_column_width=NARROWEST_FIELD)
    with grid.container():
        name = st.selectbox(
            _("Connection"),
            list(titles),
            format_func=titles.__getitem__,
            key=candles_keys.SQL_CONNECTION,
            persist_state="session",
            help=_("Connections are read-only."),
        )
    with grid.container():
        ways = {"table": _("Table or view"), "query": _("Query")}
        st.segmented_control(
            _("Read from"),
            list(ways),
            format_func=ways.__getitem__,
            default="table",
            required=True,
            key=state.joined(candles_keys.SQL_WAY, name),
            persist_state="session",
        )
    return name


def _render_request(name: str) -> SqlRequest | None:
    """Return the request, None while something is missing."""
    by_query = st.session_state.get(state.joined(candles_keys.SQL_WAY, name)) == "query"
    origin = _render_query(name) if by_query else _render_table(name)
    if origin is None:
        return None
    preview = _ask(_preview_question(name, origin), lambda: desk().sql.preview(name, origin), retry=not by_query)
    if preview is None:
        return None
    _render_preview(preview)
    place = (name, origin.table or str(origin.query))
    st.markdown("**" + _("Roles of the columns") + "**")
    headers = list(dict.fromkeys(preview.headers))
    columns = choose_roles(headers, preview.guessed, COLUMNS, needed=NEEDED, key=(candles_keys.SQL_COLUMN, *place))
    symbol = _render_symbol(name, origin, columns["symbol"], preview) if columns["symbol"] else None
    start, end, timezone = _render_times(place)
    if any(not columns[column] for column in NEEDED) or (columns["symbol"] and symbol is None and not by_query):
        return None
    return SqlRequest(origin.table, origin.query, columns, symbol, start, end, timezone)


def _render_table(name: str) -> SqlRequest | None:
    tables = _ask(("sql tables", name), lambda: desk().sql.tables(name))
    if tables is None:
        return None
    key = state.joined(candles_keys.SQL_TABLE, name)
    if st.session_state.get(key) not in tables:
        st.session_state.pop(key, None)
    table = st.selectbox(
        _("Table or view"),
        tables,
        None,
        key=key,
        persist_state="session",
        placeholder=_("Choose a table") if tables else _("No readable table"),
        disabled=not tables,
    )
    return None if table is None else SqlRequest(table=table)


def _render_query(name: str) -> SqlRequest | None:
    """Return the query, None until its first rows were requested."""
    query = st.text_area(
        _("Query"),
        key=state.joined(candles_keys.SQL_QUERY, name),
        persist_state="session",
        placeholder=EXAMPLE,
        height=QUERY_HEIGHT,
        max_chars=LONGEST,
        help=_("One SELECT statement in the database's SQL dialect. It cannot change anything."),
    ).strip()
    shown = state.joined(candles_keys.SQL_SHOWN, name)
    if st.button(_("Show the first rows"), icon=":material/table_view:", disabled=not query, key="data.sql_show"):
        st.session_state[shown] = query
        forget(_preview_question(name, SqlRequest(query=query)))
    # The columns below belong to the query whose rows are shown, not to one changed since.
    return SqlRequest(query=query) if query and st.session_state.get(shown) == query else None


def _render_preview(preview: Preview) -> None:
    table = pd.DataFrame(list(preview.rows), columns=list(unique_labels(preview.headers)))
    st.caption(_("The first {count} rows").format(count=len(table)) if len(table) else _("There are no rows."))
    for column in table.columns[[kind.kind not in "iufb" for kind in table.dtypes]]:
        table[column] = table[column].map(_cell_text)
    st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(table) + 1) + 2, PREVIEW_HEIGHT),
        alt=_("The first rows of the table or query"),
    )


def _cell_text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _render_symbol(name: str, origin: SqlRequest, column: str, preview: Preview) -> str | None:
    table = origin.table
    symbols: Sequence[str]
    if table is not None:
        symbols = _ask(("sql symbols", name, table, column), lambda: desk().sql.symbols(name, table, column)) or ()
    else:
        place = preview.headers.index(column)
        symbols = list(dict.fromkeys(str(row[place]).strip() for row in preview.rows if row[place] is not None))
    symbol = st.selectbox(
        _("Instrument"),
        symbols,
        0 if len(symbols) == 1 else None,
        key=state.joined(candles_keys.SQL_SYMBOL, name, table or str(origin.query), column),
        placeholder=_("Choose or type a symbol"),
        accept_new_options=True,
    )
    return None if symbol is None else str(symbol).strip() or None


def _render_times(place: tuple[str, str]) -> tuple[datetime | None, datetime | None, str | None]:
    """Return the range, naive, and the time zone; all of them may be empty."""
    grid = st.grid(3, min_column_width=NARROWEST_FIELD - 60)
    keys = (state.joined(candles_keys.SQL_FROM, *place), state.joined(candles_keys.SQL_TO, *place))
    bounds = (EARLIEST, datetime.now(UTC).date() + timedelta(days=1))
    notes = (
        _("First day, in the time zone of the database. Empty: from the earliest candle."),
        _("Last day, in the time zone of the database. Empty: to the latest candle."),
    )
    start, end = render_day_fields((grid.container(), grid.container()), keys, bounds, notes, zone=None)
    with grid.container():
        timezone = st.selectbox(
            _("Time zone"),
            sorted(available_timezones()),
            None,
            key=state.joined(candles_keys.SQL_ZONE, *place),
            placeholder=_("As in the database"),
            help=_("Zone of times without an offset. Times with an offset are converted to it."),
        )
    return start, end, timezone


def _follow_job(name: str) -> str | None:
    """Render the reading that the address names, if it is of this connection; return the id of its result."""
    job_id = st.query_params.get("job")
    named = None if job_id is None else desk().jobs.get(job_id)
    if job_id is None or named is None or named.kind != KIND or named.request["connection"] != name:
        return None
    origin = shorten(named.request["table"] or " ".join(named.request["query"].split()), LONGEST_ORIGIN)
    st.caption(_("Read last: {origin}").format(origin=errors.escape(origin)))
    return job.await_result(job_id)


def _ask(question: Question, ask: Callable[[], Answer], *, retry: bool = True) -> Answer | None:
    return ask_once(question, ask, waiting=_("Asking the database …"), retry=retry)


def _preview_question(name: str, origin: SqlRequest) -> Question:
    return ("sql preview", name, origin.table, origin.query)
