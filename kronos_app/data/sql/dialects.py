"""Opens each kind of database read-only with a time limit, and stops its queries from another thread.

| | what prevents writing | what ends a slow query |
|---|---|---|
| PostgreSQL | a read-only transaction, a cursor that only accepts a query | statement_timeout, cancel |
| MySQL | a read-only transaction | max_execution_time, kill |
| SQLite | the file is opened read-only, an authorizer allows only reading | interrupt |
| DuckDB | the file is opened read-only, without access to other files and with locked settings | interrupt |
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kronos_app.data.sql.limits import Limits

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa

CONNECT_SECONDS = 10
STOP_TIMEOUT = 5.0  # seconds for a database to confirm that a query was cancelled
MOST_LOCK_SECONDS = 5
_SQLITE_DENIED = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_SQLITE_PRAGMAS = {"table_info", "table_xinfo", "table_list"}


@dataclass(frozen=True)
class Dialect:
    """Functions that create an engine, prepare a new connection for reading, and stop a query of another thread."""

    engine: Callable[[sa.URL, Limits], sa.Engine]
    begin: Callable[[sa.Connection, float], None]
    stop: Callable[[sa.Connection, sa.Engine], None]


def _create(url: sa.URL | str, **options: Any) -> sa.Engine:
    import sqlalchemy as sa

    # A connection is used once, so that no setting is left over for the next query.
    return sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, **options)


def _driver(opened: sa.Connection) -> Any:
    return opened.connection.driver_connection


def _execute_all(opened: sa.Connection, *statements: str) -> None:
    for statement in statements:
        opened.exec_driver_sql(statement)


def _postgresql(url: sa.URL, _limits: Limits) -> sa.Engine:
    # A server that disappears is noticed after half a minute.
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
    return _create(url, connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "kronos-desk", **alive})


def _begin_postgresql(opened: sa.Connection, seconds: float) -> None:
    _execute_all(
        opened,
        "SET TRANSACTION READ ONLY",
        "SET default_transaction_read_only = on",
        f"SET statement_timeout = {max(round(1000 * seconds), 1)}",
        f"SET lock_timeout = '{MOST_LOCK_SECONDS}s'",
        "SET TIME ZONE 'UTC'",
    )


def _stop_postgresql(opened: sa.Connection, _engine: sa.Engine) -> None:
    raw = _driver(opened)
    try:
        raw.cancel_safe(timeout=STOP_TIMEOUT)
    except Exception:  # noqa: BLE001 - the server does not answer: close the connection
        with socket.socket(fileno=os.dup(raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def _mysql(url: sa.URL, limits: Limits) -> sa.Engine:
    timeout = round(limits.seconds + 2 * STOP_TIMEOUT)
    return _create(url, connect_args={"connect_timeout": CONNECT_SECONDS, "read_timeout": timeout})


def _begin_mysql(opened: sa.Connection, seconds: float) -> None:
    mariadb = bool(getattr(opened.dialect, "is_mariadb", False))
    limit = f"max_statement_time = {seconds:.3f}" if mariadb else f"max_execution_time = {round(1000 * seconds)}"
    _execute_all(
        opened,
        f"SET SESSION {limit}",
        f"SET SESSION lock_wait_timeout = {MOST_LOCK_SECONDS}",
        "SET SESSION sql_mode = ''",  # Quotes and backslashes then mean what `statement` takes them for.
        "SET SESSION time_zone = '+00:00'",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY",
    )


def _stop_mysql(opened: sa.Connection, engine: sa.Engine) -> None:
    with engine.connect() as other:
        other.exec_driver_sql(f"KILL QUERY {int(_driver(opened).thread_id())}")


def _sqlite(url: sa.URL, _limits: Limits) -> sa.Engine:
    import sqlite3

    path = Path(url.database or "").resolve()

    def connect() -> sqlite3.Connection:
        # The other thread only interrupts.
        return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)

    return _create("sqlite://", creator=connect)


def _begin_sqlite(opened: sa.Connection, _seconds: float) -> None:
    import sqlite3

    always = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION}

    def authorize(action: int, first: str | None, second: str | None, *_: object) -> int:
        allowed = action in always
        if action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() not in _SQLITE_DENIED
        if action == sqlite3.SQLITE_PRAGMA:
            allowed = (first or "").lower() in _SQLITE_PRAGMAS
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    raw = _driver(opened)
    raw.execute("PRAGMA query_only = ON")
    raw.execute("PRAGMA temp_store = MEMORY")  # Sorting counts against the memory limit.
    raw.set_authorizer(authorize)


def _duckdb(url: sa.URL, limits: Limits) -> sa.Engine:
    config = {
        "enable_external_access": "false",
        "memory_limit": f"{limits.memory_mb // 2}MB",  # The process needs the rest for rows and libraries.
        "threads": 2,
        "temp_directory": str(Path(tempfile.gettempdir()) / "kronos-duckdb"),  # not beside the user's database file
        "max_temp_directory_size": f"{limits.memory_mb}MB",
    }
    return _create(
        f"duckdb:///{quote(url.database or '', safe='/:')}", connect_args={"read_only": True, "config": config}
    )


def _begin_duckdb(opened: sa.Connection, _seconds: float) -> None:
    import duckdb

    raw = _driver(opened)
    for setting in ("SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL lock_configuration = true"):
        # Connections to one file share their settings: another may have locked them already.
        with suppress(duckdb.InvalidInputException):
            raw.execute(setting)
    if not raw.execute("SELECT current_setting('lock_configuration')").fetchone()[0]:
        raise OSError("the settings of DuckDB cannot be locked")


def _interrupt(opened: sa.Connection, _engine: sa.Engine) -> None:
    _driver(opened).interrupt()


DIALECTS = {
    "postgresql": Dialect(_postgresql, _begin_postgresql, _stop_postgresql),
    "mysql": Dialect(_mysql, _begin_mysql, _stop_mysql),
    "sqlite": Dialect(_sqlite, _begin_sqlite, _interrupt),
    "duckdb": Dialect(_duckdb, _begin_duckdb, _interrupt),
}
