"""Candles from a database: what tables there are, what is in them, and the rows that are candles.

A query may take more memory or time than the database can be held to: `process` runs these functions in a process of
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from kronos_app.data.about import About
from kronos_app.data.draft import Draft
from kronos_app.data.sql import columns as sql_columns
from kronos_app.data.sql import tables as sql_tables
from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.limits import Limits, too_many_rows
from kronos_app.data.sql.request import SqlRequest, check_count, columns_of, guess, validate
from kronos_app.data.sql.session import Session, reading
from kronos_app.data.upload.columns import shorten, shorten_list
from kronos_app.errors import InvalidInput, NotFound
from kronos_app.i18n import text

PREVIEW_ROWS = 20
MOST_SYMBOLS = 1_000
LONGEST_CELL = 200  # characters of a preview


@dataclass(frozen=True)
class Preview:
    """The first rows of a table or a query, long text cut, and which of `request.COLUMNS` is which header."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    guessed: Mapping[str, str]


def tables(connection: SqlConnection, limits: Limits) -> list[str]:
    """Return the tables and views that the connection may see, those of other schemas with the schema in front.

    Raises
    ------
    Unavailable
        The database does not answer.
    """
    with reading(connection, limits) as session:
        return [table.label for table in sql_tables.tables(session, connection.dialect)]


def preview(connection: SqlConnection, request: SqlRequest, limits: Limits) -> Preview:
    """Return the first rows of a table or a query.

    Raises
    ------
    InvalidInput
        The query is none, or the database does not accept it.
    NotFound
        There is no such table.
    TooLarge
        There are too many columns.
    Unavailable
        The database does not answer, or takes too long.
    """
    request = validate(request, connection.dialect)
    with reading(connection, limits) as session:
        if request.table is None:
            headers, rows = session.all(str(request.query), PREVIEW_ROWS)
        else:
            table = sql_tables.find(session, connection.dialect, request.table)
            headers, rows = session.all(sql_tables.select(table).limit(PREVIEW_ROWS), PREVIEW_ROWS)
    check_count(headers)
    return Preview(headers, tuple(tuple(map(_shown, row)) for row in rows), guess(headers))


def symbols(connection: SqlConnection, table: str, column: str, limits: Limits) -> list[str]:
    """Return the different values of a column, at most a thousand.

    Raises
    ------
    InvalidInput
        There is no such column.
    NotFound
        There is no such table.
    Unavailable
        The database does not answer, or takes too long.
    """
    with reading(connection, limits) as session:
        found = sql_tables.find(session, connection.dialect, table)
        _, rows = session.all(sql_tables.distinct(found, column, MOST_SYMBOLS), MOST_SYMBOLS)
    return [str(row[0]).strip() for row in rows]


def read(
    connection: SqlConnection,
    request: SqlRequest,
    *,
    limits: Limits,
    on_page: Callable[[int], None] | None = None,
) -> Draft:
    """Return the candles that a request asks for, ascending, with their faults.

    Parameters
    ----------
    on_page
        Called with the number of rows so far, also while the database has not answered yet and from another thread;
        may raise to cancel.

    Raises
    ------
    InvalidInput
        The request, or what came is not candles.
    NotFound
        There is no such table, or no row in the range.
    TooLarge
        There are more rows or bytes than the limits.
    Unavailable
        The database does not answer, breaks off, or takes too long.
    """
    request = validate(request, connection.dialect)
    count = 0

    def look() -> None:
        if on_page is not None:
            on_page(count)

    with reading(connection, limits, look) as session, session.rows(_statement(session, connection, request)) as rows:
        columns = columns_of(request, rows.headers)
        places = {column: rows.headers.index(header) for column, header in columns.items()}
        gathered = sql_columns.Gathered(places, rows.instants)
        for chunk in rows.chunks:
            gathered.add(chunk, request.symbol)
            count = gathered.count
            if count > limits.rows:
                raise too_many_rows(limits)
            look()
    return _draft(connection, request, columns, gathered)


def _statement(session: Session, connection: SqlConnection, request: SqlRequest) -> Any:
    if request.table is None:
        return str(request.query)
    return sql_tables.candles(session, sql_tables.find(session, connection.dialect, request.table), request)


def _draft(
    connection: SqlConnection, request: SqlRequest, headers: Mapping[str, str], gathered: sql_columns.Gathered
) -> Draft:
    if not gathered.count:
        raise _nothing()
    columns = gathered.take()
    symbol = request.symbol or _only_symbol(columns.get("symbol"), headers)
    about = About(symbol=symbol, origin=f"{connection.name}: {shorten(request.table or 'SELECT', 80)}")
    name = symbol or (connection.name if request.table is None else shorten(request.table))
    whole = sql_columns.draft(columns, headers, name=name, timezone=request.timezone, about=about)
    found = sql_columns.cut(whole, request.start, request.end)
    if not len(found):
        raise _nothing()
    return found


def _only_symbol(column: pa.ChunkedArray | None, headers: Mapping[str, str]) -> str | None:
    """Return the one instrument there is, None where rows name none.

    Raises
    ------
    InvalidInput
        There are several.
    """
    if column is None:
        return None
    found = sorted({str(value).strip() for value in column.unique().to_pylist() if value is not None} - {""})
    if len(found) > 1:
        raise InvalidInput(
            "several_symbols",
            text(
                "Column “{column}” names {count} instruments: {symbols}.",
                column=shorten(headers["symbol"]), count=len(found), symbols=shorten_list(found, 10),
            ),
            text("Choose one of them, or leave the column of the symbol out if it is none."),
        )  # fmt: skip
    return shorten(found[0]) if found else None


def _shown(value: Any) -> Any:
    """Return a cell fit for a table on a page."""
    if value is None or isinstance(value, bool | int | float | date):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | memoryview):
        return f"({len(value)} B)"
    return shorten(str(value), LONGEST_CELL)


def _nothing() -> NotFound:
    return NotFound(
        "no_candles",
        text("There is no row that fits."),
        text("Choose another range or instrument, or look at what the query gives without them."),
    )
