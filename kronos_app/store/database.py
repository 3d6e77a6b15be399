"""One database for all threads, which is opened again after an outage, a restart or the loss of its file."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TypeVar

import sqlalchemy as sa
from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_delay, wait_exponential

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text
from kronos_app.store import failures
from kronos_app.store.failures import FAILURES, Outage
from kronos_app.store.opening import Opened, open_database, parse, replace_damaged

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Work = Callable[[sa.Connection], Result]

# Between two attempts to open a database: an attempt may take seconds, and all threads wait for it.
SECONDS_BETWEEN_ATTEMPTS = 2.0
SECONDS_OF_PATIENCE = 15 * 60.0  # for which a job waits for the database
_patience: ContextVar[Callable[[], None] | None] = ContextVar("patience", default=None)


@contextmanager
def patience(on_wait: Callable[[], None]) -> Iterator[None]:
    """Make this thread wait for the database instead of failing; `on_wait` is called often and may raise to stop."""
    token = _patience.set(on_wait)
    try:
        yield
    finally:
        _patience.reset(token)


class Database:
    """The database at `url`, one transaction at a time.

    It is opened when it is first needed, and again after an outage.

    Raises InvalidInput: `url` is no database address.
    """

    def __init__(self, url: str) -> None:
        self._address = parse(url)
        self._lock = Lock()
        self._closed = False
        self._opened: Opened | None = None
        self._identity: tuple[int, int] | None = None
        self._problem: Unavailable | None = None
        self._notice: Text | None = None
        self._next_attempt = 0.0
        with self._lock:
            self._try_to_open()

    @property
    def problem(self) -> Unavailable | None:
        """Return why nothing can be saved now, None if it can."""
        with self._lock:
            if self._closed:
                return _was_closed()
            self._try_to_open()
            self._reopen_if_gone()
            return self._problem

    @property
    def notice(self) -> Text | None:
        """Return what the user should know about the database, such as that its file was deleted."""
        problem = self.problem
        with self._lock:
            return self._notice if problem is None else problem.message + problem.hint

    def fetch(self, query: sa.Select[*tuple[object, ...]]) -> Sequence[sa.RowMapping]:
        """Return the rows of `query`.

        Raises Unavailable: `store_unavailable`, if the database fails; `store_damaged`, if its file is broken there.
        """
        return self.read(lambda connection: connection.execute(query).mappings().all())

    def read(self, work: Work[Result]) -> Result:
        """Return what `work` reads in one transaction.

        Raises Unavailable: `store_unavailable`, if the database fails; `store_damaged`, if its file is broken there.
        """
        return self._patiently(lambda: self._attempt(work))

    def execute(self, *statements: sa.Executable) -> None:
        """Execute all `statements` or none; in a new file if this one is damaged.

        Raises Unavailable: `store_unavailable`, if the database fails; `store_read_only`, if it cannot be written.
        """

        def work(connection: sa.Connection) -> None:
            for statement in statements:
                connection.execute(statement)

        self.write(work)

    def write(self, work: Work[Result]) -> Result:
        """Return the result of `work` in one transaction; in a new file if this one is damaged.

        Raises Unavailable: `store_unavailable`, if the database fails; `store_read_only`, if it cannot be written.
        """
        return self._patiently(lambda: self._attempt(work, writes=True))

    def close(self) -> None:
        """Close the database; later calls raise Unavailable."""
        with self._lock:
            self._closed = True
            self._drop()

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        on_wait = _patience.get()
        if on_wait is None:
            return attempt()

        def sleep(seconds: float) -> None:
            on_wait()
            time.sleep(seconds)

        return Retrying(
            retry=retry_if_exception_type(Outage),
            wait=wait_exponential(0.1, max=5.0),
            stop=stop_after_delay(SECONDS_OF_PATIENCE),
            before_sleep=before_sleep_log(log, logging.WARNING),
            sleep=sleep,
            reraise=True,
        )(attempt)

    def _attempt(self, work: Work[Result], *, writes: bool = False) -> Result:
        with self._lock:
            opened = self._usable(writes=writes)
            try:
                return self._transaction(opened, work)
            except FAILURES as error:
                problem = self._failed(error)
                if writes and problem.code == "store_damaged":
                    self._use(replace_damaged(self._address))
                elif not isinstance(problem, Outage):
                    raise problem from error
            # Once more: the server may have been restarted since the last call.
            try:
                return self._transaction(self._usable(writes=writes), work)
            except FAILURES as error:
                raise self._failed(error) from error

    def _usable(self, *, writes: bool) -> Opened:
        """Return the open database, or raise why there is none."""
        if self._closed:
            raise _was_closed()
        self._reopen_if_gone()
        if writes and self._opened is not None and self._opened.read_only and self._due():
            self._drop()
        self._try_to_open()
        if self._opened is None or (writes and self._opened.read_only):
            raise self._problem or failures.read_only(self._address.name)
        return self._opened

    def _due(self) -> bool:
        return time.monotonic() >= self._next_attempt

    def _try_to_open(self) -> None:
        """Open the database if it is closed and an attempt is due; store the reason of a failure in `_problem`."""
        if self._opened is not None or not self._due():
            return
        try:
            self._use(open_database(self._address))
        except Unavailable as problem:
            if self._problem is None or self._problem.message != problem.message:  # not every two seconds
                log.warning("The database did not open: %s", problem, exc_info=problem.__cause__)
            self._problem = problem
        self._next_attempt = time.monotonic() + SECONDS_BETWEEN_ATTEMPTS

    def _use(self, opened: Opened) -> None:
        if self._problem is not None and not opened.read_only:
            log.warning("The database %s answers", self._address.name)
        self._opened = opened
        self._problem = failures.read_only(self._address.name) if opened.read_only else None
        self._notice = opened.notice or self._notice
        self._identity = _identity(self._address.file)

    def _transaction(self, opened: Opened, work: Work[Result]) -> Result:
        with opened.engine.begin() as connection:
            return work(connection)

    def _failed(self, error: Exception) -> Unavailable:
        log.error("The database failed", exc_info=error)
        # After a fatal error DuckDB refuses further work on the connection. A database in memory ends with it.
        if not self._address.in_memory:
            self._drop()
            self._next_attempt = 0.0
        return failures.explain(error, self._address.name, is_file=self._address.file is not None)

    def _drop(self) -> None:
        if self._opened is not None:
            self._opened.engine.dispose()
            self._opened = None

    def _reopen_if_gone(self) -> None:
        file = self._address.file
        if file is None or self._opened is None or _identity(file) == self._identity:
            return
        # The system keeps a deleted file until it is closed: all that is written to it would be lost.
        existed = file.exists()
        self._drop()
        self._next_attempt, self._notice = 0.0, None
        self._try_to_open()
        if not existed and self._notice is None:
            self._notice = text("{name} was deleted while in use. A new database was started.", name=str(file))


def _was_closed() -> Unavailable:
    return failures.unusable(text("The database was closed."), text("Start Kronos Desk again."))


def _identity(file: Path | None) -> tuple[int, int] | None:
    try:
        status = None if file is None else file.stat()
    except OSError:
        return None
    return status and (status.st_dev, status.st_ino)
