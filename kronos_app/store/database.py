"""One database for all threads, which outlives its file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import TypeVar

import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text
from kronos_app.store.opening import Opened, is_damage, open_database, replace_damaged

log = logging.getLogger(__name__)

Result = TypeVar("Result")
FAILURES = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)


class Database:
    """The database at `url`, one transaction at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._closed = False
        self._use(open_database(url))

    @property
    def notice(self) -> Text | None:
        """Return what happened to the database, if anything did, up to this moment: its file may just have gone."""
        with self._lock:
            if not self._closed:
                self._reopen_if_gone()
            return self._notice

    def read(self, query: sa.Select[*tuple[object, ...]]) -> Sequence[sa.RowMapping]:
        """Return the rows of `query`.

        Raises
        ------
        Unavailable
            `store_unavailable`, if the database fails.
        """
        return self.reading(lambda connection: connection.execute(query).mappings().all())

    def reading(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Return what `work` reads, in a transaction of its own.

        Raises
        ------
        Unavailable
            `store_unavailable`, if the database fails.
        """
        with self._lock:
            try:
                return self._transaction(work)
            except FAILURES as error:
                raise self._failed(error) from error

    def write(self, *statements: sa.Executable) -> None:
        """Execute all `statements` or none; in a new file, where damage turns up in this one.

        Raises
        ------
        Unavailable
            `store_unavailable`, if the database fails.
        """

        def work(connection: sa.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        self.writing(work)

    def writing(self, work: Callable[[sa.Connection], Result]) -> Result:
        """Do all that `work` does or nothing, and return its result; in a new file, where damage turns up in this one.

        Raises
        ------
        Unavailable
            `store_unavailable`, if the database fails.
        """
        with self._lock:
            try:
                try:
                    return self._transaction(work)
                except sa.exc.DBAPIError as error:
                    if self._file is None or not is_damage(error):
                        raise
                    log.exception("The database is damaged")
                    self._engine.dispose()
                    self._use(replace_damaged(self._url))
                    return self._transaction(work)
            except FAILURES as error:
                raise self._failed(error) from error

    def close(self) -> None:
        """Release the file; a later call raises Unavailable."""
        with self._lock:
            self._closed = True
            self._engine.dispose()

    def _use(self, opened: Opened) -> None:
        self._engine, self._file, self._notice = opened.engine, opened.file, opened.notice
        self._identity = _identity(opened.file)

    def _transaction(self, work: Callable[[sa.Connection], Result]) -> Result:
        if self._closed:
            raise _unavailable()
        self._reopen_if_gone()
        with self._engine.begin() as connection:
            return work(connection)

    def _failed(self, error: Exception) -> Unavailable:
        log.error("The database failed", exc_info=error)
        # After a fatal error DuckDB refuses all further work on the connection. Memory has nothing but its connection.
        if self._file is not None:
            self._engine.dispose()
        return _unavailable()

    def _reopen_if_gone(self) -> None:
        if self._file is None or _identity(self._file) == self._identity:
            return
        # Without this the system would keep the deleted file alive unseen, and lose all that is written from now on.
        self._engine.dispose()
        existed, name = self._file.exists(), str(self._file)
        self._use(open_database(self._url))
        if not existed and self._notice is None:
            self._notice = text("{name} was deleted while in use. A new database was started.", name=name)


def _identity(file: Path | None) -> tuple[int, int] | None:
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None
    return status and (status.st_dev, status.st_ino)


def _unavailable() -> Unavailable:
    return Unavailable(
        "store_unavailable",
        text("The database does not answer."),
        text("Try again; if it stays so, check the disk's free space and the log, or start Kronos Desk again."),
    )
