"""What can be asked of a database: which rows, and which of their columns is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

from kronos_app.data.candle_frame import FEATURES, PRICES
from kronos_app.data.sql.statement import check
from kronos_app.data.upload import time_columns
from kronos_app.data.upload.columns import ALIASES, plain, shorten, shorten_list
from kronos_app.errors import InvalidInput, TooLarge
from kronos_app.i18n import text

COLUMNS = ("timestamp", "clock", *FEATURES, "symbol")
"""What a column may be: the time (or the day, with `clock` for the time of day), the numbers, the instrument."""
NEEDED = ("timestamp", *PRICES)
MOST_COLUMNS = 200


@dataclass(frozen=True)
class SqlRequest:
    """Candles to read from a database.

    Attributes
    ----------
    table, query
        One of them: a table as `reader.tables` lists it, or a SELECT.
    columns
        What the database calls each of `COLUMNS`; the rest is guessed by name, and an empty name leaves one out.
    symbol
        The instrument, where there are several.
    start, end
        The first included and the second not; without an offset as the times of the table are written.
    timezone
        IANA name of the zone that the times are local to; instants are brought there. None for times as they are, and
        instants in UTC.
    """

    table: str | None = None
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    symbol: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    timezone: str | None = None


def to_dict(request: SqlRequest) -> dict[str, Any]:
    """Return a JSON-ready form of a request."""
    moments = {"start": request.start, "end": request.end}
    return (
        asdict(request)
        | {side: moment and moment.isoformat() for side, moment in moments.items()}
        | {"columns": dict(request.columns)}
    )


def from_dict(data: Mapping[str, Any]) -> SqlRequest:
    """Return the request of which `to_dict` made `data`; other keys are left out."""
    start, end = (data[side] and datetime.fromisoformat(data[side]) for side in ("start", "end"))
    return SqlRequest(data["table"], data["query"], data["columns"], data["symbol"], start, end, data["timezone"])


def validate(request: SqlRequest, dialect: str) -> SqlRequest:
    """Return a request that can be tried, its query without what surrounds it.

    Raises
    ------
    InvalidInput
        Neither table nor query or both, a query that does not only read, a column or time zone that does not exist, or
        a range that ends before it starts.
    """
    if (request.table is None) == (request.query is None):
        raise InvalidInput(
            "table_or_query",
            text("Candles come from a table or from a query: exactly one of them is needed."),
            text("Choose a table, or write a SELECT."),
        )
    unknown = [column for column in request.columns if column not in COLUMNS]
    if unknown:
        raise InvalidInput(
            "unknown_column",
            text("Candles have no column {columns}.", columns=shorten_list(unknown)),
            text("The columns are {names}.", names=", ".join(COLUMNS)),
        )
    if request.timezone is not None and request.timezone not in available_timezones():
        raise InvalidInput(
            "unknown_timezone",
            text("There is no time zone “{name}”.", name=shorten(request.timezone)),
            text("Use a name such as Asia/Shanghai, America/New_York or UTC."),
        )
    if request.start is not None and request.end is not None and aware(request.start) >= aware(request.end):
        raise InvalidInput(
            "empty_range",
            text("The range ends before it starts."),
            text("Choose an earlier start or a later end."),
        )
    return request if request.query is None else replace(request, query=check(request.query, dialect))


def aware(moment: datetime) -> datetime:
    """Return a moment that can be compared with any other, one without an offset as if it were in UTC."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def guess(headers: Sequence[str]) -> dict[str, str]:
    """Return which of `COLUMNS` a header likely is, as column to header; what no header says is left out."""
    names = {plain(header): header for header in reversed(headers)}
    found = {
        column: names[next(alias for alias in aliases if alias in names)]
        for column, aliases in ALIASES.items()
        if any(alias in names for alias in aliases)
    }
    times = time_columns.choose([plain(header) for header in headers])
    if times is not None:
        found["timestamp"] = headers[times.time]
        found |= {} if times.clock is None else {"clock": headers[times.clock]}
    return {column: found[column] for column in COLUMNS if column in found}


def columns_of(request: SqlRequest, headers: Sequence[str]) -> dict[str, str]:
    """Return which column is which, as one of `COLUMNS` to header: what was said, and what is guessed of the rest.

    Raises
    ------
    InvalidInput
        A column that candles need is not there, or one in use is there twice.
    TooLarge
        There are too many columns.
    """
    check_count(headers)
    found = {column: header for column, header in (guess(headers) | dict(request.columns)).items() if header}
    missing = [header for header in found.values() if header not in headers]
    if missing:
        raise InvalidInput(
            "missing_columns",
            text(
                "There is no column {missing}; the columns are: {found}.",
                missing=shorten_list(missing), found=shorten_list(headers),
            ),
            text("Choose columns that are there."),
        )  # fmt: skip
    needed = [column for column in NEEDED if column not in found]
    if needed:
        raise InvalidInput(
            "missing_columns",
            text(
                "It is not clear which column is {missing}; the columns are: {found}.",
                missing=", ".join(needed), found=shorten_list(headers),
            ),
            text("Say which column is which, or name them in the query: SELECT price AS close …"),
        )  # fmt: skip
    repeated = [header for header in dict.fromkeys(found.values()) if list(headers).count(header) > 1]
    if repeated:
        raise InvalidInput(
            "repeated_column",
            text("The query has several columns of the name {names}.", names=shorten_list(repeated)),
            text("Give each a name of its own in the query: SELECT a.close AS close …"),
        )
    return {column: found[column] for column in COLUMNS if column in found}


def check_count(headers: Sequence[str]) -> None:
    """Raise TooLarge where there are more columns than a page could show."""
    if len(headers) > MOST_COLUMNS:
        raise TooLarge(
            "too_many_columns",
            text("There are {count} columns, more than the limit of {most}.", count=len(headers), most=MOST_COLUMNS),
            text("Write a query that names the columns of the candles."),
        )
