"""Requests to a database: which rows to read, and which of their columns holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.source_messages import reversed_range
from kronos_app.data.sql.statement import check
from kronos_app.data.upload.columns import ALIASES, named_times, plain, shorten_list
from kronos_app.data.upload.times import zone_names
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

COLUMNS = ("timestamp", "clock", *FEATURES, "symbol")
"""Roles of a column: the time (or the date, with `clock` for the time of day), the numbers, the symbol."""
NEEDED = ("timestamp", *PRICES)
MOST_COLUMNS = 200


@dataclass(frozen=True)
class SqlRequest:
    """Candles to read from a database.

    Attributes
    ----------
    table, query
        Exactly one of them: a table as `reader.tables` lists it, or a SELECT statement.
    columns
        Role to column name. Other roles are inferred from the column names; an empty name leaves a role out.
    symbol
        The instrument, where there are several.
    start, end
        Half-open range; times without an offset are in the time zone of the table.
    timezone
        IANA name of the zone that the times are local to; UTC instants are converted to it. None leaves the times
        unchanged.
    """

    table: str | None = None
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    timezone: str | None = None


REQUEST = TypeAdapter(SqlRequest)
"""Converts requests to JSON-ready dicts and back; other keys are ignored."""


def validate(request: SqlRequest, dialect: str) -> SqlRequest:
    """Return the request, its query without surrounding comments and semicolons; raise `InvalidInput` if it is invalid.

    A request needs exactly one of table and query, known roles and time zone, a start before its end, and a query that
    only reads.
    """
    if (request.table is None) == (request.query is None):
        raise InvalidInput(
            "table_or_query",
            text("Exactly one of table and query is required."),
            text("Choose a table, or write a SELECT statement."),
        )
    unknown = [column for column in request.columns if column not in COLUMNS]
    if unknown:
        raise InvalidInput(
            "unknown_column",
            text("Candles have no column {columns}.", columns=shorten_list(unknown)),
            text("The columns are {names}.", names=", ".join(COLUMNS)),
        )
    zone_names.check_iana(request.timezone)
    if request.start is not None and request.end is not None and aware(request.start) >= aware(request.end):
        raise reversed_range()
    return request if request.query is None else replace(request, query=check(request.query, dialect))


def aware(moment: datetime) -> datetime:
    """Return a moment with a time zone; without an offset it counts as UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def guess(headers: Sequence[str]) -> dict[str, str]:
    """Return role to header for the roles that the headers' names suggest."""
    names = {plain(header): header for header in reversed(headers)}
    matches = {role: [alias for alias in aliases if alias in names] for role, aliases in ALIASES.items()}
    columns = {role: names[aliases[0]] for role, aliases in matches.items() if aliases}
    for role, position in named_times(headers).items():
        columns["timestamp" if role == "date" else role] = headers[position]
    return {role: columns[role] for role in COLUMNS if role in columns}


def columns_of(request: SqlRequest, headers: Sequence[str]) -> dict[str, str]:
    """Return role to header: as the request states, the rest inferred.

    Raises `InvalidInput` where a required column is absent or a column in use exists twice, `TooLarge` for too many
    columns.
    """
    check_count(headers)
    columns = {role: header for role, header in (guess(headers) | dict(request.columns)).items() if header}
    missing = [header for header in columns.values() if header not in headers]
    if missing:
        raise InvalidInput(
            "missing_columns",
            text(
                "There is no column {missing}; the columns are: {found}.",
                missing=shorten_list(missing), found=shorten_list(headers),
            ),
            text("Choose from these columns."),
        )  # fmt: skip
    needed = [role for role in NEEDED if role not in columns]
    if needed:
        raise InvalidInput(
            "missing_columns",
            text(
                "The columns for {missing} are not known; the columns are: {found}.",
                missing=", ".join(needed), found=shorten_list(headers),
            ),
            text("Assign the columns, or rename them in the query: SELECT price AS close …"),
        )  # fmt: skip
    repeated = [header for header in dict.fromkeys(columns.values()) if list(headers).count(header) > 1]
    if repeated:
        raise InvalidInput(
            "repeated_column",
            text("The query returns several columns named {names}.", names=shorten_list(repeated)),
            text("Give each column its own name in the query: SELECT a.close AS close …"),
        )
    return {role: columns[role] for role in COLUMNS if role in columns}


def check_count(headers: Sequence[str]) -> None:
    """Raise `TooLarge` where there are more columns than a page can show."""
    if len(headers) > MOST_COLUMNS:
        raise TooLarge(
            "too_many_columns",
            text("There are {count} columns, more than the limit of {most}.", count=len(headers), most=MOST_COLUMNS),
            text("Write a query that selects only the candle columns."),
        )
