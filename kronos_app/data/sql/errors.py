"""What databases say when they fail, in words that help: who has to do what. No message carries a password."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal

from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import text

log = logging.getLogger(__name__)

Kind = Literal["login", "unreachable", "lost", "slow", "write", "query"]

LONGEST = 300  # characters of what a database says
_LOGIN = re.compile(
    r"authentication|password|role .* does not exist|database .* does not exist|pg_hba|permission denied"
)
_WRITE = re.compile(
    r"read-?only|not authorized|prohibited|data-modifying|disabled by configuration|locked configuration"
)
_CLOSED = re.compile(
    r"unable to open|not a database|disk i/o|locked|lock on file|cannot open|malformed|different config"
)
_MEMORY = re.compile(r"out of memory|bad_alloc|bad allocation|could not allocate|failed to allocate|failed to offload")
_MYSQL: dict[int, Kind] = {
    1044: "login", 1045: "login", 1049: "login", 1698: "login", 1130: "login",
    1040: "unreachable", 2002: "unreachable", 2003: "unreachable", 2005: "unreachable",
    1053: "lost", 1927: "lost", 2006: "lost", 2013: "lost", 2055: "lost",
    1317: "slow", 1969: "slow", 3024: "slow",
    1290: "write", 1792: "write",
}  # fmt: skip


def from_database(connection: SqlConnection, error: Exception, *, opening: bool) -> AppError:
    """Return what a failure of the database or its driver means; what the driver said goes to the log, too.

    Parameters
    ----------
    opening
        Whether the connection was still to be made.
    """
    cause: Any = getattr(error, "orig", None) or error
    said = shorten(connection.without_secrets(_words(cause)), LONGEST)
    kind = _kind(cause, opening)
    log.warning("Connection %s (%s): %s", connection.name, kind, said)
    name = connection.name
    if kind == "login":
        return Unavailable(
            "sql_login_refused",
            text("The database of the connection “{name}” refuses the login.", name=name),
            text("Whoever runs this desk corrects user, password and database in secrets.toml."),
        )
    if kind == "unreachable":
        return Unavailable(
            "sql_unreachable",
            text("The database of the connection “{name}” cannot be opened.", name=name),
            text("Whoever runs this desk checks that it is running and not locked; the log has the details."),
        )
    if kind == "lost":
        return Unavailable(
            "sql_connection_lost",
            text("The connection “{name}” broke off while candles were read.", name=name),
            text("Try again; if it happens again, ask for a shorter range."),
        )
    if kind == "slow":
        return Unavailable(
            "sql_interrupted",
            text("The database of the connection “{name}” stopped the query because it took too long.", name=name),
            text("Ask for a shorter range, or for columns that have an index."),
        )
    if kind == "write":
        return InvalidInput(
            "sql_read_only",
            text(
                "The database of the connection “{name}” refused what is not for reading: {said}", name=name, said=said
            ),
            text("Write one SELECT: connections are for reading only."),
        )
    return InvalidInput(
        "sql_refused",
        text("The database of the connection “{name}” does not accept the query: {said}", name=name, said=said),
        text("Correct the query, or choose another table."),
    )


def out_of_memory(error: BaseException) -> bool:
    """Return whether DuckDB or SQLite, which run in this process, could not get the memory they needed."""
    cause: Any = getattr(error, "orig", None) or error
    local = type(cause).__module__.split(".")[0] in {"duckdb", "_duckdb", "sqlite3"}
    return isinstance(cause, MemoryError) or (local and _MEMORY.search(str(cause).lower()) is not None)


def _words(cause: Any) -> str:
    """Return the sentence a driver has for people, without the query that SQLAlchemy adds."""
    told = getattr(getattr(cause, "diag", None), "message_primary", None)
    if told is None and len(getattr(cause, "args", ())) == 2 and isinstance(cause.args[0], int):
        told = cause.args[1]  # MySQL: a number and a sentence
    return str(told or cause).strip().partition("\n\n")[0]


def _kind(cause: Any, opening: bool) -> Kind:
    driver = type(cause).__module__.split(".")[0]
    said = str(cause).lower()
    if driver == "pymysql" and cause.args and isinstance(cause.args[0], int):
        return _MYSQL.get(cause.args[0], "query")
    if driver == "psycopg":
        return _of_postgresql(cause, said, opening)
    if isinstance(cause, OSError):
        return "unreachable" if opening else "lost"
    if "interrupt" in said:
        return "slow"
    if opening or _CLOSED.search(said):
        return "unreachable"
    return "write" if _WRITE.search(said) else "query"


def _of_postgresql(cause: Any, said: str, opening: bool) -> Kind:
    state = cause.sqlstate or ""
    if opening:
        return "login" if state[:2] in {"28", "3D"} or _LOGIN.search(said) else "unreachable"
    if state == "57014":
        return "slow"
    if state == "25006" or _WRITE.search(said):
        return "write"
    broken = not state and type(cause).__name__ == "OperationalError"
    return "lost" if broken or state[:2] == "08" or state.startswith("57P") else "query"
