"""A connection for one piece of reading: opened, held to reading and to its time by the database, and closed.

| | what keeps it from writing | what ends a slow query |
|---|---|---|
| PostgreSQL | a read-only transaction, a cursor that only takes a query | statement_timeout, cancel |
| MySQL | a read-only transaction | max_execution_time, kill |
| SQLite | the file is opened for reading, an authorizer refuses all but reading | interrupt |
| DuckDB | the file is opened for reading, without access to other files and with settings locked | interrupt |
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.errors import from_database, out_of_memory
from kronos_app.data.sql.limits import Limits, too_many_bytes, too_slow
from kronos_app.errors import AppError

if TYPE_CHECKING:
    import sqlite3

    import sqlalchemy as sa

CHUNK = 10_000  # rows
FIRST_CHUNK = 100  # rows: how long they are is not known yet
CHUNK_BYTES = 16_000_000
CONNECT_SECONDS = 10
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 5.0  # for a database that was told to stop
MOST_LOCK_SECONDS = 5
_MYSQL_TIMESTAMP = 7  # the type that the server brings to the time zone of the connection
_SQLITE_DENIED = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}
_SQLITE_PRAGMAS = {"table_info", "table_xinfo", "table_list"}


@dataclass(frozen=True)
class Rows:
    """What a query answers.

    Attributes
    ----------
    headers
        The names of its columns.
    chunks
        Its rows, to be gone through once.
    instants
        Positions of columns whose times are in UTC, though they do not say so.
    """

    headers: tuple[str, ...]
    chunks: Iterator[Sequence[Sequence[Any]]]
    instants: frozenset[int] = frozenset()


class Session:
    """An open connection; made by `reading`."""

    def __init__(self, connection: SqlConnection, opened: sa.Connection, watch: _Watch, limits: Limits) -> None:
        self._connection = connection
        self._opened = opened
        self._limits = limits
        self._watch = watch
        self._read_all = False

    @contextmanager
    def rows(self, statement: str | sa.Executable, chunk: int = CHUNK) -> Iterator[Rows]:
        """Run a statement, and give it up at the end, however much of it was read."""
        options: dict[str, Any] = {"stream_results": True, "max_row_buffer": chunk, "no_parameters": True}
        if isinstance(statement, str):
            result = self._opened.exec_driver_sql(statement, execution_options=options)
        else:
            options["no_parameters"] = False
            result = self._opened.execute(statement, execution_options=options)
        try:
            if not result.returns_rows:
                yield Rows((), iter(()))
                return
            headers = tuple(map(str, result.keys()))
            yield Rows(headers, self._chunks(result, chunk), self._instants(result))
        finally:
            if self._connection.dialect == "mysql" and not self._read_all:
                self._watch.stop()  # Its driver would read all the rest before it lets go.
            with suppress(Exception):  # What ended it was told already, or is nobody's concern any more.
                if result.cursor is not None:
                    result.cursor.close()
            with suppress(Exception):
                result.close()

    def all(self, statement: str | sa.Executable, limit: int) -> tuple[tuple[str, ...], list[Sequence[Any]]]:
        """Return the headers and the first rows of a statement."""
        found: list[Sequence[Any]] = []
        with self.rows(statement, limit) as rows:
            for chunk in rows.chunks:
                found += chunk
                if len(found) >= limit:
                    break
            return rows.headers, found[:limit]

    def _instants(self, result: sa.CursorResult[Any]) -> frozenset[int]:
        if self._connection.dialect != "mysql" or result.cursor is None:
            return frozenset()
        return frozenset(
            place for place, column in enumerate(result.cursor.description) if column[1] == _MYSQL_TIMESTAMP
        )

    def _chunks(self, result: sa.CursorResult[Any], most: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows in chunks of about equal size in memory, and stop at the limit of bytes."""
        self._read_all = False
        size, total = min(FIRST_CHUNK, most), 0
        while rows := result.fetchmany(size):
            self._watch.check()
            taken = sum(map(_bytes_of, rows))
            total += taken
            if total > self._limits.result_bytes:
                raise too_many_bytes(self._limits)
            size = max(1, min(most, 10 * size, CHUNK_BYTES * len(rows) // taken))
            yield rows
        self._watch.check()
        self._read_all = True


def _bytes_of(row: Sequence[Any]) -> int:
    """Return about how many bytes a row takes: eight a number, the length of what has one."""
    taken = 8 * len(row)
    for value in row:
        kind = type(value)
        if kind is str or kind is bytes:
            taken += len(value)
        elif kind is list or kind is tuple or kind is dict:
            taken += len(str(value))
    return taken


@contextmanager
def reading(connection: SqlConnection, limits: Limits, on_look: Callable[[], None] | None = None) -> Iterator[Session]:
    """Open a connection that can only read, for at most `limits.seconds`.

    Parameters
    ----------
    on_look
        Called five times a second from another thread; what it raises ends the reading and is raised here.

    Raises
    ------
    Unavailable
        The database cannot be reached, refuses the login, breaks off or takes too long.
    InvalidInput
        It does not accept the statement.
    TooLarge
        It sends more bytes than the limit.
    MemoryError
        The query needs more memory than this process may take.
    """
    import sqlalchemy as sa

    failures = (sa.exc.SQLAlchemyError, OSError, UnicodeError)
    try:
        how = _HOW[connection.dialect]
        engine = how.engine(connection.url, limits)
        opened = engine.connect()
    except failures as error:
        raise from_database(connection, error, opening=True) from None
    with closing(opened), _Watch(limits, on_look or (lambda: None), lambda: how.stop(opened, engine)) as watch:
        try:
            how.begin(opened, limits.seconds)
            yield Session(connection, opened, watch, limits)
            watch.check()
        except failures as error:
            watch.check()
            if out_of_memory(error):
                raise MemoryError from None
            raise from_database(connection, error, opening=False) from None
        except AppError:
            watch.check()
            raise


class _Watch:
    """Looks after a connection while it is busy, and stops it when its time is over or nobody wants it any more."""

    def __init__(self, limits: Limits, on_look: Callable[[], None], stop: Callable[[], None]) -> None:
        self._limits = limits
        self._on_look = on_look
        self._stop = stop
        self._done = Event()
        self._reason: Exception | None = None
        self._thread = Thread(target=self._look, name="kronos-sql-watch", daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(PATIENCE_SECONDS)

    def check(self) -> None:
        """Raise what ended the reading, if anything did."""
        if self._reason is not None:
            raise self._reason

    def stop(self) -> None:
        """Tell the database to stop what it is doing."""
        with suppress(Exception):  # It may have ended by itself, or be gone.
            self._stop()

    def _look(self) -> None:
        end = time.monotonic() + self._limits.seconds
        while not self._done.wait(LOOK_SECONDS):
            if self._reason is None:
                try:
                    self._on_look()
                except Exception as error:  # noqa: BLE001 - whatever it is, whoever reads raises it
                    self._reason = error
            if self._reason is None and time.monotonic() > end:
                self._reason = too_slow(self._limits)
            if self._reason is not None:
                self.stop()


@dataclass(frozen=True)
class _How:
    """How one kind of database is opened, held to reading, and stopped from another thread."""

    engine: Callable[[sa.URL, Limits], sa.Engine]
    begin: Callable[[sa.Connection, float], None]
    stop: Callable[[sa.Connection, sa.Engine], None]


def _create(url: sa.URL | str, **options: Any) -> sa.Engine:
    import sqlalchemy as sa

    # One connection for one piece of reading: nothing of it is left over for the next.
    return sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, **options)


def _driver(opened: sa.Connection) -> Any:
    return opened.connection.driver_connection


def _postgresql(url: sa.URL, _limits: Limits) -> sa.Engine:
    # A server that is gone without a word is noticed after half a minute.
    alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
    return _create(url, connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "kronos-desk", **alive})


def _begin_postgresql(opened: sa.Connection, seconds: float) -> None:
    for setting in (
        "SET TRANSACTION READ ONLY",
        "SET default_transaction_read_only = on",
        f"SET statement_timeout = {max(round(1000 * seconds), 1)}",
        f"SET lock_timeout = '{MOST_LOCK_SECONDS}s'",
        "SET TIME ZONE 'UTC'",
    ):
        opened.exec_driver_sql(setting)


def _stop_postgresql(opened: sa.Connection, _engine: sa.Engine) -> None:
    raw = _driver(opened)
    try:
        raw.cancel_safe(timeout=PATIENCE_SECONDS)
    except Exception:  # noqa: BLE001 - a server that does not answer: hang up
        with socket.socket(fileno=os.dup(raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def _mysql(url: sa.URL, limits: Limits) -> sa.Engine:
    patience = round(limits.seconds + 2 * PATIENCE_SECONDS)
    return _create(url, connect_args={"connect_timeout": CONNECT_SECONDS, "read_timeout": patience})


def _begin_mysql(opened: sa.Connection, seconds: float) -> None:
    mariadb = bool(getattr(opened.dialect, "is_mariadb", False))
    limit = f"max_statement_time = {seconds:.3f}" if mariadb else f"max_execution_time = {round(1000 * seconds)}"
    for setting in (
        f"SET SESSION {limit}",
        f"SET SESSION lock_wait_timeout = {MOST_LOCK_SECONDS}",
        "SET SESSION sql_mode = ''",  # How quotes and backslashes are read, as `statement` reads them.
        "SET SESSION time_zone = '+00:00'",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY",
    ):
        opened.exec_driver_sql(setting)


def _stop_mysql(opened: sa.Connection, engine: sa.Engine) -> None:
    with engine.connect() as other:
        other.exec_driver_sql(f"KILL QUERY {int(_driver(opened).thread_id())}")


def _sqlite(url: sa.URL, _limits: Limits) -> sa.Engine:
    import sqlite3

    path = Path(url.database or "").resolve()

    def connect() -> sqlite3.Connection:
        # Another thread only ever interrupts it.
        return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)

    return _create("sqlite://", creator=connect)


def _begin_sqlite(opened: sa.Connection, _seconds: float) -> None:
    import sqlite3

    allowed = {
        sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION,
    }  # fmt: skip

    def judge(action: int, first: str | None, second: str | None, *_: object) -> int:
        fine = action in allowed
        if action == sqlite3.SQLITE_FUNCTION:
            fine = (second or "").lower() not in _SQLITE_DENIED
        if action == sqlite3.SQLITE_PRAGMA:
            fine = (first or "").lower() in _SQLITE_PRAGMAS
        return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY

    _driver(opened).execute("PRAGMA query_only = ON")
    _driver(opened).execute("PRAGMA temp_store = MEMORY")  # Sorting counts against the limit of memory.
    _driver(opened).set_authorizer(judge)


def _duckdb(url: sa.URL, limits: Limits) -> sa.Engine:
    config = {
        "enable_external_access": "false",
        "memory_limit": f"{limits.memory_mb // 2}MB",  # The process needs the rest for rows and libraries.
        "threads": 2,
        "temp_directory": str(Path(tempfile.gettempdir()) / "kronos-duckdb"),  # Not beside the file of somebody else.
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


_HOW = {
    "postgresql": _How(_postgresql, _begin_postgresql, _stop_postgresql),
    "mysql": _How(_mysql, _begin_mysql, _stop_mysql),
    "sqlite": _How(_sqlite, _begin_sqlite, _interrupt),
    "duckdb": _How(_duckdb, _begin_duckdb, _interrupt),
}
