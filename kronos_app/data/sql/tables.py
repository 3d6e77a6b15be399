"""Lists the tables of a database and builds SELECT statements for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kronos_app.data.sql.request import SqlRequest, aware, columns_of
from kronos_app.data.sql.session import Session
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import NotFound
from kronos_app.i18n import text

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST_TABLES = 1_000

# Schema, name and default schema of each table that the user of the connection may read.
_LISTS = {
    "postgresql": """
        SELECT table_schema, table_name, current_schema() FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
        UNION ALL
        SELECT schemaname, matviewname, current_schema() FROM pg_matviews
        WHERE has_table_privilege(format('%I.%I', schemaname, matviewname), 'SELECT')
        ORDER BY 1, 2""",
    "mysql": """
        SELECT table_schema, table_name, database() FROM information_schema.tables
        WHERE table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')
        ORDER BY 1, 2""",
    "sqlite": """
        SELECT NULL, name, NULL FROM sqlite_master
        WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_'
        ORDER BY 2""",
    "duckdb": """
        SELECT table_schema, table_name, current_schema() FROM information_schema.tables
        WHERE table_catalog = current_database() AND table_schema NOT IN ('information_schema', 'pg_catalog')
        ORDER BY 1, 2""",
}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:([ T])\d{2}:\d{2}.*)?")
_DIGITS = re.compile(r"(?:18|19|20|21)\d{2}[01]\d[0-3]\d")
_EPOCHS = ((1e8, 1), (1e11, 10**3), (1e14, 10**6), (1e17, 10**9))


@dataclass(frozen=True)
class Table:
    """A table or view; the label is its name for display."""

    schema: str | None
    name: str
    label: str


def tables(session: Session, dialect: str) -> list[Table]:
    """Return the tables and views that the user of the connection may read."""
    _, rows = session.first_rows(_LISTS[dialect], MOST_TABLES)
    return [Table(schema, name, name if schema in {None, home} else f"{schema}.{name}") for schema, name, home in rows]


def find(session: Session, dialect: str, label: str) -> Table:
    """Return the table of a label; raise `NotFound` where there is none."""
    for table in tables(session, dialect):
        if label in {table.label, f"{table.schema}.{table.name}"}:
            return table
    raise NotFound(
        "unknown_table",
        text("There is no table “{table}”.", table=shorten(label)),
        text("Choose a listed table; the user of the connection needs the right to read it."),
    )


def select(table: Table, columns: Sequence[str] = ()) -> sa.Select[Any]:
    """Return a SELECT of these columns, or of all."""
    import sqlalchemy as sa

    selected: list[Any] = [sa.column(name) for name in columns] or [sa.literal_column("*")]
    return sa.select(*selected).select_from(sa.table(table.name, schema=table.schema))


def distinct(table: Table, column: str, limit: int) -> sa.Select[Any]:
    """Return a SELECT of the distinct values of a column, in order."""
    import sqlalchemy as sa

    value: sa.ColumnClause[Any] = sa.column(column)
    return select(table, [column]).distinct().where(value.is_not(None)).order_by(value).limit(limit)


def candles(session: Session, table: Table, request: SqlRequest) -> sa.Select[Any]:
    """Return the SELECT of a request: only the columns in use, and the rows of its range and a day on either side."""
    import sqlalchemy as sa

    headers, _ = session.first_rows(select(table).limit(1), 1)
    used = columns_of(request, headers)
    statement = select(table, list(dict.fromkeys(used.values())))
    if request.symbol is not None and "symbol" in used:
        statement = statement.where(sa.column(used["symbol"]) == _bind(request.symbol))
    if request.start is None and request.end is None:
        return statement
    moment: sa.ColumnClause[Any] = sa.column(used["timestamp"])
    _, rows = session.first_rows(select(table, [used["timestamp"]]).where(moment.is_not(None)).limit(1), 1)
    if not rows:
        return statement
    # A day more on either side, because the zone of the times is known only after reading.
    low, high = _bound(rows[0][0], request.start, -1), _bound(rows[0][0], request.end, 1)
    statement = statement if low is None else statement.where(moment >= _bind(low))
    return statement if high is None else statement.where(moment <= _bind(high))


def _bind(value: Any) -> sa.BindParameter[Any]:
    """Return a parameter whose type the database infers: SQLAlchemy would have PostgreSQL compare text with numbers."""
    import sqlalchemy as sa

    return sa.bindparam(None, value, type_=sa.types.NullType(), unique=True)


def _bound(example: Any, moment: datetime | None, days: int) -> Any:
    """Return a moment plus some days in the format of a column; None where that is not clear or does not sort."""
    if moment is None:
        return None
    with suppress(OverflowError):  # beyond the years that datetime can represent
        at = aware(moment) + timedelta(days=days)
        if isinstance(example, datetime):
            return at if example.tzinfo is not None else at.replace(tzinfo=None)
        if isinstance(example, date):
            return at.date()
        if isinstance(example, str):
            return _as_text(example.strip(), at)
        if isinstance(example, int):
            return _as_number(example, at)
    return None


def _as_text(example: str, at: datetime) -> str | None:
    if _DIGITS.fullmatch(example):
        return at.strftime("%Y%m%d")
    iso = _ISO.fullmatch(example)
    if iso is None:
        return None
    return at.strftime(f"%Y-%m-%d{iso[1]}%H:%M:%S" if iso[1] else "%Y-%m-%d")


def _as_number(example: int, at: datetime) -> int | None:
    if _DIGITS.fullmatch(str(example)):
        return int(at.strftime("%Y%m%d"))
    factor = next((factor for least, factor in reversed(_EPOCHS) if abs(example) >= least), None)
    return factor and int(at.timestamp()) * factor
