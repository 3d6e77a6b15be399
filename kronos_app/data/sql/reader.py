"""Reads a database: its tables, a preview, symbols, and candles.

A query may need more memory or time than the database can be limited to, so `process` runs these functions in a child
process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    """The first rows of a table or query as JSON values, long text cut, and the inferred role to header."""

    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    guessed: Mapping[str, str]


def tables(connection: SqlConnection, limits: Limits) -> list[str]:
    """Return the tables and views that the user may read, with the schema in front where it is not the default."""
    with reading(connection, limits) as session:
        return [table.label for table in sql_tables.tables(session, connection.dialect)]


def preview(connection: SqlConnection, request: SqlRequest, limits: Limits) -> Preview:
    """Return the first rows of a table or a query; errors are those of `read`."""
    request = validate(request, connection.dialect)
    with reading(connection, limits) as session:
        statement: Any = request.query
        if request.table is not None:
            table = sql_tables.find(session, connection.dialect, request.table)
            statement = sql_tables.select(table).limit(PREVIEW_ROWS)
        headers, rows = session.first_rows(statement, PREVIEW_ROWS)
    check_count(headers)
    return Preview(headers, tuple(tuple(map(_preview_cell, row)) for row in rows), guess(headers))


def symbols(connection: SqlConnection, table: str, column: str, limits: Limits) -> list[str]:
    """Return the distinct values of a column, at most `MOST_SYMBOLS`; errors are those of `read`."""
    with reading(connection, limits) as session:
        described = sql_tables.find(session, connection.dialect, table)
        _, rows = session.first_rows(sql_tables.distinct(described, column, MOST_SYMBOLS), MOST_SYMBOLS)
    return [str(row[0]).strip() for row in rows]


def read(
    connection: SqlConnection,
    request: SqlRequest,
    *,
    limits: Limits,
    on_page: Callable[[int], None] = lambda _: None,
) -> Draft:
    """Return the requested candles, ascending, faults included.

    Parameters
    ----------
    on_page
        Called with the number of rows so far, also from another thread while the database is busy; may raise to cancel.

    Raises
    ------
    InvalidInput
        The request is invalid, the database rejects it, or the result is not candles.
    NotFound
        The table does not exist, or no row is in the range.
    TooLarge
        The result exceeds a limit.
    Unavailable
        The database does not answer, the connection is lost, or the query takes too long.
    """
    request = validate(request, connection.dialect)
    count = 0

    def report() -> None:
        on_page(count)

    with reading(connection, limits, report) as session:
        statement = _statement(session, connection, request)
        with session.stream(statement) as rows:
            columns = columns_of(request, rows.headers)
            places = {column: rows.headers.index(header) for column, header in columns.items()}
            builder = sql_columns.ColumnBuilder(places, rows.instants)
            for chunk in rows.chunks:
                builder.add(chunk, request.symbol)
                count = builder.count
                if count > limits.rows:
                    raise too_many_rows(limits)
                report()
    return _draft(connection, request, columns, builder)


def _statement(session: Session, connection: SqlConnection, request: SqlRequest) -> Any:
    if request.table is None:
        return str(request.query)
    return sql_tables.candles(session, sql_tables.find(session, connection.dialect, request.table), request)


def _draft(
    connection: SqlConnection, request: SqlRequest, headers: Mapping[str, str], builder: sql_columns.ColumnBuilder
) -> Draft:
    if not builder.count:
        raise _no_rows()
    columns = builder.columns()
    symbol = request.symbol or _only_symbol(columns.get("symbol"), headers)
    about = About(symbol=symbol, origin=f"{connection.name}: {shorten(request.table or 'SELECT', 80)}")
    name = symbol or (connection.name if request.table is None else shorten(request.table))
    draft = sql_columns.draft(columns, headers, request, name=name, about=about)
    if not len(draft):
        raise _no_rows()
    return draft


def _only_symbol(column: pa.ChunkedArray | None, headers: Mapping[str, str]) -> str | None:
    """Return the symbol of all rows, None where they name none; raise `InvalidInput` where there are several."""
    if column is None:
        return None
    symbols = sorted({str(value).strip() for value in column.unique().to_pylist() if value is not None} - {""})
    if len(symbols) > 1:
        raise InvalidInput(
            "several_symbols",
            text(
                "Column “{column}” has {count} symbols: {symbols}.",
                column=shorten(headers["symbol"]), count=len(symbols), symbols=shorten_list(symbols, 10),
            ),
            text("Choose one symbol, or do not use this column as the symbol."),
        )  # fmt: skip
    return shorten(symbols[0]) if symbols else None


def _preview_cell(value: Any) -> Any:
    """Return a cell as a JSON value."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | memoryview):
        return f"({len(value)} B)"
    return shorten(str(value), LONGEST_CELL)


def _no_rows() -> NotFound:
    return NotFound(
        "no_candles",
        text("No row matches the request."),
        text("Choose another range or symbol, or check the query without them."),
    )
