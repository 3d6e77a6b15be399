"""A read-only connection for one query: opened, limited in time and size, and closed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from kronos_app.data.sql.connection import SqlConnection
from kronos_app.data.sql.dialects import DIALECTS, STOP_TIMEOUT
from kronos_app.data.sql.errors import from_database, out_of_memory
from kronos_app.data.sql.limits import Limits, too_many_bytes, too_slow
from kronos_app.errors import AppError

if TYPE_CHECKING:
    import sqlalchemy as sa

CHUNK = 10_000  # rows
FIRST_CHUNK = 100  # rows, while their size is unknown
CHUNK_BYTES = 16_000_000
POLL_SECONDS = 0.2
_MYSQL_TIMESTAMP = 7  # the type that the server converts to the time zone of the connection


@dataclass(frozen=True)
class Rows:
    """The result of a query: column names, chunks of rows to iterate once, positions of columns of UTC instants."""

    headers: tuple[str, ...]
    chunks: Iterator[Sequence[Sequence[Any]]]
    instants: frozenset[int] = frozenset()


@dataclass
class Session:
    """An open connection; made by `reading`."""

    connection: SqlConnection
    opened: sa.Connection
    watch: _Watch
    limits: Limits
    _exhausted: bool = False

    @contextmanager
    def stream(self, statement: str | sa.Executable, chunk: int = CHUNK) -> Iterator[Rows]:
        """Run a statement, and cancel what is left of it at the end."""
        options: dict[str, Any] = {"stream_results": True, "max_row_buffer": chunk}
        if isinstance(statement, str):
            result = self.opened.exec_driver_sql(statement, execution_options=options | {"no_parameters": True})
        else:
            result = self.opened.execute(statement, execution_options=options)
        try:
            if result.returns_rows:
                headers = tuple(map(str, result.keys()))
                yield Rows(headers, self._chunks(result, chunk), self._instants(result))
            else:
                yield Rows((), iter(()))
        finally:
            if self.connection.dialect == "mysql" and not self._exhausted:
                self.watch.stop()  # The driver would read all remaining rows before it closes.
            with suppress(Exception):  # An error of the query was raised already.
                if result.cursor is not None:
                    result.cursor.close()
            with suppress(Exception):
                result.close()

    def first_rows(self, statement: str | sa.Executable, limit: int) -> tuple[tuple[str, ...], list[Sequence[Any]]]:
        """Return the headers and the first rows of a statement."""
        first: list[Sequence[Any]] = []
        with self.stream(statement, limit) as rows:
            for chunk in rows.chunks:
                first += chunk
                if len(first) >= limit:
                    break
            return rows.headers, first[:limit]

    def _instants(self, result: sa.CursorResult[Any]) -> frozenset[int]:
        if self.connection.dialect != "mysql" or result.cursor is None:
            return frozenset()
        return frozenset(n for n, column in enumerate(result.cursor.description) if column[1] == _MYSQL_TIMESTAMP)

    def _chunks(self, result: sa.CursorResult[Any], most: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Yield the rows in chunks of about equal size in memory; raise beyond the limit of bytes."""
        self._exhausted = False
        size, total = min(FIRST_CHUNK, most), 0
        while rows := result.fetchmany(size):
            self.watch.check()
            chunk_bytes = sum(map(_bytes_of, rows))
            total += chunk_bytes
            if total > self.limits.result_bytes:
                raise too_many_bytes(self.limits)
            size = max(1, min(most, 10 * size, CHUNK_BYTES * len(rows) // chunk_bytes))
            yield rows
        self.watch.check()
        self._exhausted = True


def _bytes_of(row: Sequence[Any]) -> int:
    """Return the approximate size of a row in bytes."""
    total = 8 * len(row)
    for value in row:
        kind = type(value)
        if kind is str or kind is bytes:
            total += len(value)
        elif kind is list or kind is tuple or kind is dict:
            total += len(str(value))
    return total


@contextmanager
def reading(connection: SqlConnection, limits: Limits, on_poll: Callable[[], None] = lambda: None) -> Iterator[Session]:
    """Open a read-only connection for at most `limits.seconds`.

    Parameters
    ----------
    on_poll
        Called five times a second from another thread; an exception in it ends the reading and is raised here.

    Raises
    ------
    Unavailable, InvalidInput, TooLarge
        The database fails, rejects the statement, or sends more than the limit.
    MemoryError
        The query needs more memory than this process may use.
    """
    import sqlalchemy as sa

    failures = (sa.exc.SQLAlchemyError, OSError, UnicodeError)
    dialect = DIALECTS[connection.dialect]
    try:
        engine = dialect.engine(connection.url, limits)
        opened = engine.connect()
    except failures as error:
        raise from_database(connection, error, opening=True) from None
    with closing(opened), _Watch(limits, on_poll, lambda: dialect.stop(opened, engine)) as watch:
        try:
            dialect.begin(opened, limits.seconds)
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


@dataclass
class _Watch:
    """A thread that stops a connection when its time is over or `on_poll` raises."""

    limits: Limits
    on_poll: Callable[[], None]
    stop_query: Callable[[], None]
    _done: Event = field(default_factory=Event)
    _reason: Exception | None = None

    def __enter__(self) -> _Watch:
        self._thread = Thread(target=self._run, name="kronos-sql-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(STOP_TIMEOUT)

    def check(self) -> None:
        """Raise the reason why the reading was stopped, if it was."""
        if self._reason is not None:
            raise self._reason

    def stop(self) -> None:
        """Cancel the running query in the database."""
        with suppress(Exception):  # It may have ended already, or the connection may be lost.
            self.stop_query()

    def _run(self) -> None:
        end = time.monotonic() + self.limits.seconds
        while not self._done.wait(POLL_SECONDS):
            if self._reason is None:
                try:
                    self.on_poll()
                except Exception as error:  # noqa: BLE001 - the reading thread raises it
                    self._reason = error
            if self._reason is None and time.monotonic() > end:
                self._reason = too_slow(self.limits)
            if self._reason is not None:
                self.stop()
