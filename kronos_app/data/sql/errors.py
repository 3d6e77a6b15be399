"""Errors of databases and drivers as messages that say what to do. No message contains a password."""

from __future__ import annotations

import logging
import re
from typing import Any, Literal

from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import AppError, InvalidInput, Unavailable
from kronos_app.i18n import Text, text

log = logging.getLogger(__name__)

Kind = Literal["login", "unreachable", "lost", "slow", "write", "query"]

LONGEST = 300  # characters of a driver's message
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
_ERRORS: dict[Kind, tuple[type[AppError], str, Text, Text]] = {
    "login": (
        Unavailable,
        "sql_login_refused",
        text("The database of the connection “{name}” rejects the login."),
        text("The administrator must correct user, password and database in secrets.toml."),
    ),
    "unreachable": (
        Unavailable,
        "sql_unreachable",
        text("The database of the connection “{name}” cannot be opened."),
        text("The administrator must check that it is running and not locked; the log has the details."),
    ),
    "lost": (
        Unavailable,
        "sql_connection_lost",
        text("The connection “{name}” was lost while candles were read."),
        text("Try again; if it happens again, choose a shorter range."),
    ),
    "slow": (
        Unavailable,
        "sql_interrupted",
        text("The database of the connection “{name}” stopped the query because it took too long."),
        text("Choose a shorter range, or filter by columns that have an index."),
    ),
    "write": (
        InvalidInput,
        "sql_read_only",
        text("The database of the connection “{name}” refused a statement that does more than read: {reason}"),
        text("Write one SELECT statement: connections are read-only."),
    ),
    "query": (
        InvalidInput,
        "sql_refused",
        text("The database of the connection “{name}” rejected the query: {reason}"),
        text("Correct the query, or choose another table."),
    ),
}


def from_database(connection: SqlConnection, error: Exception, *, opening: bool) -> AppError:
    """Return the error for a failure of a database or its driver, and log the driver's message.

    `opening` says whether the connection was still being opened.
    """
    cause: Any = getattr(error, "orig", None) or error
    reason = shorten(connection.without_secrets(_driver_message(cause)), LONGEST)
    kind = _kind(cause, opening)
    log.warning("Connection %s (%s): %s", connection.name, kind, reason)
    error_class, code, message, hint = _ERRORS[kind]
    return error_class(code, Text(message.msgid, {"name": connection.name, "reason": reason}), hint)


def out_of_memory(error: BaseException) -> bool:
    """Return whether DuckDB or SQLite, which run in this process, could not allocate memory."""
    cause: Any = getattr(error, "orig", None) or error
    local = type(cause).__module__.split(".")[0] in {"duckdb", "_duckdb", "sqlite3"}
    return isinstance(cause, MemoryError) or (local and _MEMORY.search(str(cause).lower()) is not None)


def _driver_message(cause: Any) -> str:
    """Return the driver's message without the query that SQLAlchemy adds."""
    message = getattr(getattr(cause, "diag", None), "message_primary", None)
    if message is None and len(getattr(cause, "args", ())) == 2 and isinstance(cause.args[0], int):
        message = cause.args[1]  # MySQL: a number and a message
    return str(message or cause).strip().partition("\n\n")[0]


def _kind(cause: Any, opening: bool) -> Kind:
    driver = type(cause).__module__.split(".")[0]
    message = str(cause).lower()
    if driver == "pymysql" and cause.args and isinstance(cause.args[0], int):
        return _MYSQL.get(cause.args[0], "query")
    if driver == "psycopg":
        return _postgresql_kind(cause, message, opening)
    if isinstance(cause, OSError):
        return "unreachable" if opening else "lost"
    if "interrupt" in message:
        return "slow"
    if opening or _CLOSED.search(message):
        return "unreachable"
    return "write" if _WRITE.search(message) else "query"


def _postgresql_kind(cause: Any, message: str, opening: bool) -> Kind:
    state = cause.sqlstate or ""
    if opening:
        return "login" if state[:2] in {"28", "3D"} or _LOGIN.search(message) else "unreachable"
    if state == "57014":
        return "slow"
    if state == "25006" or _WRITE.search(message):
        return "write"
    broken = not state and type(cause).__name__ == "OperationalError"
    return "lost" if broken or state[:2] == "08" or state.startswith("57P") else "query"
