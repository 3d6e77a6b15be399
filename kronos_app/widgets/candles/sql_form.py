"""Asking a database for candles: a table or a query, which column is which, and the job that reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.data.draft import Draft
from kronos_app.data.sql.reader import Preview
from kronos_app.data.sql.request import COLUMNS, NEEDED, SqlRequest
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.services.candles.sql import KIND
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import asking, drafts
from kronos_app.widgets.candles.asking import Answer, Question
from kronos_app.widgets.candles.column_roles import choose_roles
from kronos_app.widgets.kit import errors, job

NARROWEST_FIELD = 220  # pixels
EARLIEST = date(1900, 1, 1)
LONGEST_PLACE = 120  # characters
QUERY_HEIGHT = 150  # pixels
PREVIEW_HEIGHT = 260
EXAMPLE = "SELECT time, open, high, low, close, volume\nFROM candles\nWHERE symbol = 'AAPL'"


def adopt() -> None:
    """Set the form to the reading that the address names, once: a link opens on its database."""
    job_id = st.query_params.get("job")
    if job_id is None or st.session_state.get(state.DATA_SQL_JOB) == job_id:
        return
    st.session_state[state.DATA_SQL_JOB] = job_id
    with suppress(AppError):  # Whoever follows the job says what is wrong with it.
        asked = desk().jobs.get(job_id)
        if asked.kind == KIND:
            name = asked.request["connection"]
            st.session_state[state.DATA_SOURCE] = "sql"
            st.session_state[state.DATA_SQL_CONNECTION] = name
            st.session_state[state.joined(state.DATA_SQL_WAY, name)] = "query" if asked.request["query"] else "table"
            if asked.request["query"]:
                st.session_state[state.joined(state.DATA_SQL_QUERY, name)] = asked.request["query"]
                st.session_state[state.joined(state.DATA_SQL_SHOWN, name)] = asked.request["query"]
            else:
                st.session_state[state.joined(state.DATA_SQL_TABLE, name)] = asked.request["table"]


def draw() -> Draft | None:
    """Draw the form, and the last reading below it; return what it brought, None while there is nothing."""
    name = _connection()
    if name is None:
        return None
    request = _request(name)
    label, icon = _("Read candles"), ":material/database:"
    if st.button(label, type="primary", icon=icon, disabled=request is None, key="data.sql_button") and request:
        with errors.shown():
            job_id = desk().sql.submit(name, request, review=True)
            st.session_state[state.DATA_SQL_JOB] = job_id
            st.query_params["job"] = job_id
    result_id = _follow(name)
    return None if result_id is None else drafts.kept_alone((result_id, None), lambda: desk().fetched.get(result_id))


def _connection() -> str | None:
    titles = {connection.name: connection.title for connection in desk().sql.connections()}
    if not titles:
        st.info(
            _("No database is connected to this desk.")
            + "\n\n"
            + _("Whoever runs it names connections in `.streamlit/secrets.toml`, as docs/sql.md shows."),
            icon=":material/database_off:",
        )
        return None
    if st.session_state.get(state.DATA_SQL_CONNECTION) not in titles:
        st.session_state[state.DATA_SQL_CONNECTION] = next(iter(titles))
    fields = st.grid(2, min_column_width=NARROWEST_FIELD)
    with fields.container():
        name = st.selectbox(
            _("Connection"),
            list(titles),
            format_func=titles.__getitem__,
            key=state.DATA_SQL_CONNECTION,
            persist_state="session",
            help=_("Connections can only read, whatever a query says."),
        )
    with fields.container():
        _way(name)
    return name


def _way(name: str) -> None:
    ways = {"table": _("Table or view"), "query": _("Query")}
    st.segmented_control(
        _("Read from"),
        list(ways),
        format_func=ways.__getitem__,
        default="table",
        required=True,
        key=state.joined(state.DATA_SQL_WAY, name),
        persist_state="session",
    )


def _request(name: str) -> SqlRequest | None:
    """Ask for everything; None while something is missing."""
    by_query = st.session_state.get(state.joined(state.DATA_SQL_WAY, name)) == "query"
    origin = _query(name) if by_query else _table(name)
    if origin is None:
        return None
    shown = _asked(_preview_of(name, origin), lambda: desk().sql.preview(name, origin), again=not by_query)
    if shown is None:
        return None
    _preview(shown)
    place = (name, origin.table or str(origin.query))
    columns = _columns(place, shown)
    symbol = _symbol(name, origin, columns.get("symbol"), shown)
    start, end, timezone = _times(place)
    if any(not columns[column] for column in NEEDED) or (columns["symbol"] and symbol is None and not by_query):
        return None
    return SqlRequest(origin.table, origin.query, columns, symbol, start, end, timezone)


def _table(name: str) -> SqlRequest | None:
    tables = _asked(("sql tables", name), lambda: desk().sql.tables(name))
    if tables is None:
        return None
    key = state.joined(state.DATA_SQL_TABLE, name)
    if st.session_state.get(key) not in tables:
        st.session_state.pop(key, None)
    table = st.selectbox(
        _("Table or view"),
        tables,
        None,
        key=key,
        persist_state="session",
        placeholder=_("Choose a table") if tables else _("There is no table that may be read"),
        disabled=not tables,
    )
    return None if table is None else SqlRequest(table=table)


def _query(name: str) -> SqlRequest | None:
    """Ask for a query; it is run when asked to, not while it is written."""
    written = st.text_area(
        _("Query"),
        key=state.joined(state.DATA_SQL_QUERY, name),
        persist_state="session",
        placeholder=EXAMPLE,
        height=QUERY_HEIGHT,
        max_chars=20_000,
        help=_("One SELECT in the words of the database; it runs in a transaction that cannot change anything."),
    ).strip()
    shown = state.joined(state.DATA_SQL_SHOWN, name)
    if st.button(_("Show the first rows"), icon=":material/table_view:", disabled=not written, key="data.sql_show"):
        st.session_state[shown] = written
        asking.forget(_preview_of(name, SqlRequest(query=written)))
    # What was changed since is not what the columns below were chosen for.
    return SqlRequest(query=written) if written and st.session_state.get(shown) == written else None


def _preview(shown: Preview) -> None:
    table = pd.DataFrame(list(shown.rows), columns=_unique(shown.headers))
    st.caption(_("The first {count} rows").format(count=len(table)) if len(table) else _("There are no rows."))
    # As text, what is no number: a table on a page would show instants in the reader's own zone.
    for column in table.columns[[kind.kind not in "iufb" for kind in table.dtypes]]:
        table[column] = table[column].map(_cell)
    st.dataframe(
        table,
        hide_index=True,
        height=min(36 * (len(table) + 1) + 2, PREVIEW_HEIGHT),
        alt=_("The first rows of the table or query"),
    )


def _cell(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _unique(headers: Sequence[str]) -> list[str]:
    """Return headers that a table on a page can have: each once."""
    count: dict[str, int] = {}
    names = []
    for header in headers:
        count[header] = count.get(header, 0) + 1
        names.append(header if count[header] == 1 else f"{header} ({count[header]})")
    return names


def _columns(place: tuple[str, str], shown: Preview) -> dict[str, str]:
    """Ask which column is which; an empty one is left out."""
    st.markdown("**" + _("Which column is which") + "**")
    headers = list(dict.fromkeys(shown.headers))
    return choose_roles(headers, shown.guessed, COLUMNS, needed=NEEDED, key=(state.DATA_SQL_COLUMN, *place))


def _symbol(name: str, origin: SqlRequest, column: str | None, shown: Preview) -> str | None:
    """Ask for the instrument where a column names several."""
    if not column:
        return None
    table = origin.table
    if table is not None:
        found = _asked(("sql symbols", name, table, column), lambda: desk().sql.symbols(name, table, column))
    else:
        place = shown.headers.index(column)
        found = list(dict.fromkeys(str(row[place]).strip() for row in shown.rows if row[place] is not None))
    options = list(found or ())
    chosen = st.selectbox(
        _("Instrument"),
        options,
        0 if len(options) == 1 else None,
        key=state.joined(state.DATA_SQL_SYMBOL, name, table or str(origin.query), column),
        placeholder=_("Choose or type a symbol"),
        accept_new_options=True,
    )
    return None if chosen is None else str(chosen).strip() or None


def _times(place: tuple[str, str]) -> tuple[datetime | None, datetime | None, str | None]:
    """Ask for the first and the last day and the zone; all of them may be left open."""
    latest = datetime.now(UTC).date() + timedelta(days=1)
    fields = st.grid(3, min_column_width=NARROWEST_FIELD - 60)
    with fields.container():
        start = st.date_input(
            _("From"),
            None,
            EARLIEST,
            latest,
            key=state.joined(state.DATA_SQL_FROM, *place),
            help=_("The first day, as the database writes its times. Empty: from the earliest candle there is."),
        )
    with fields.container():
        end = st.date_input(
            _("To"),
            None,
            EARLIEST,
            latest,
            key=state.joined(state.DATA_SQL_TO, *place),
            help=_("The last day, as the database writes its times. Empty: up to the latest candle there is."),
        )
    with fields.container():
        timezone = st.selectbox(
            _("Time zone"),
            sorted(available_timezones()),
            None,
            key=state.joined(state.DATA_SQL_ZONE, *place),
            placeholder=_("As in the database"),
            help=_("Where the times are local to. Times that the database keeps as instants are brought there."),
        )
    return _midnight(start), _midnight(end and end + timedelta(days=1)), timezone


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time())


def _follow(name: str) -> str | None:
    """Draw the reading that the address names, if it is one of this connection."""
    job_id = st.query_params.get("job")
    asked = None if job_id is None else desk().jobs.get(job_id)
    if job_id is None or asked is None or asked.kind != KIND or asked.request["connection"] != name:
        return None
    read = asked.request["table"] or " ".join(asked.request["query"].split())
    place = read if len(read) <= LONGEST_PLACE else read[: LONGEST_PLACE - 1] + "…"
    st.caption(_("Read last: {place}").format(place=errors.escape(place)))
    return job.follow(job_id)


def _asked(question: Question, ask: Callable[[], Answer], *, again: bool = True) -> Answer | None:
    """Return the answer to a question that goes to a database, see `asking.asked`."""
    return asking.asked(question, ask, meanwhile=_("Asking the database …"), again=again)


def _preview_of(name: str, origin: SqlRequest) -> Question:
    return ("sql preview", name, origin.table, origin.query)
