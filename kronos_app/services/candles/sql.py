"""Candles from the databases that an administrator named: what is in them, and the job that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.data.calendars import with_calendar
from kronos_app.data.sql.connection import SqlConnection, named_connections, secrets_files
from kronos_app.data.sql.limits import INTERACTIVE_RESULT_MB, Limits
from kronos_app.data.sql.process import QueryProcesses
from kronos_app.data.sql.request import REQUEST, SqlRequest, validate
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import NotFound
from kronos_app.i18n import text
from kronos_app.services.candles.fetched import FetchedDrafts

if TYPE_CHECKING:
    from kronos_app.data.draft import Draft
    from kronos_app.data.sql.reader import Preview
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.settings import Settings

KIND = "query"
# Somebody waits in front of a page.
LONGEST_LOOK = 15.0  # seconds


class Connections:
    """The named databases, read anew each time, so that an administrator need not start the desk again.

    Parameters
    ----------
    paths
        The files that name them; default those that Streamlit reads.
    """

    def __init__(self, paths: Sequence[Path] | None = None) -> None:
        self._paths = paths

    def all(self) -> dict[str, SqlConnection]:
        """Return the databases by name.

        Raises
        ------
        Unavailable
            A file that names them cannot be read.
        """
        return named_connections(secrets_files() if self._paths is None else self._paths)

    def get(self, name: str) -> SqlConnection:
        """Return a database.

        Raises
        ------
        NotFound
            The administrator named none so.
        """
        found = self.all().get(name)
        if found is None:
            raise NotFound(
                "unknown_connection",
                text("There is no connection “{name}”.", name=shorten(name)),
                text("Whoever runs this desk names connections in secrets.toml; see docs/sql.md."),
            )
        return found


class SqlService:
    """Reading from databases: what there is, and the job that brings it."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        processes: QueryProcesses,
        drafts: FetchedDrafts,
        jobs: JobRunner,
    ) -> None:
        whole = limits_of(settings)
        self._limits = replace(
            whole, seconds=min(LONGEST_LOOK, whole.seconds), result_mb=min(INTERACTIVE_RESULT_MB, whole.result_mb)
        )
        self._connections = connections
        self._processes = processes
        self._drafts = drafts
        self._jobs = jobs

    def connections(self) -> list[SqlConnection]:
        """Return the databases there are, in the order of the file that names them.

        Raises
        ------
        Unavailable
            That file cannot be read.
        """
        return list(self._connections.all().values())

    def tables(self, name: str) -> list[str]:
        """Return the tables and views of a database that its user may read.

        Raises
        ------
        NotFound
            There is no such connection.
        Unavailable
            The database does not answer.
        """
        return self._processes.tables(self._connections.get(name), self._limits)

    def preview(self, name: str, request: SqlRequest) -> Preview:
        """Return the first rows of a table or a query.

        Raises
        ------
        InvalidInput
            The query is none, or the database does not accept it.
        NotFound
            There is no such connection or table.
        TooLarge
            There are too many columns.
        Unavailable
            The database does not answer, or takes too long.
        """
        return self._processes.preview(self._connections.get(name), request, self._limits)

    def symbols(self, name: str, table: str, column: str) -> list[str]:
        """Return the instruments that a column of a table names.

        Raises
        ------
        InvalidInput, NotFound, Unavailable
            As `preview`.
        """
        return self._processes.symbols(self._connections.get(name), table, column, self._limits)

    def submit(self, name: str, request: SqlRequest, *, repair: str | None = None, review: bool = False) -> str:
        """Queue the reading and return the id of its job, whose result is the id of the candle set.

        Parameters
        ----------
        repair
            What to do with faulty candles; None refuses them.
        review
            Faulty candles are kept as they came. The result is then an id for `fetched`, and the same id is that of a
            candle set only where there was nothing to choose.

        Raises
        ------
        InvalidInput
            The request makes no sense, or its query does not only read.
        NotFound
            There is no such connection.
        Conflict
            Too many jobs wait already.
        """
        request = validate(request, self._connections.get(name).dialect)
        job = REQUEST.dump_python(request, mode="json") | {"connection": name, "repair": repair, "review": review}
        return self._jobs.submit(KIND, job).id

    def fetched(self, result_id: str) -> Draft:
        """Return what a job with `review` brought, with its faults.

        Raises
        ------
        NotFound
            It is not kept any more.
        """
        return self._drafts.get(result_id)


class SqlWorker:
    """Reads what `SqlService` queued; several threads may run it."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        processes: QueryProcesses,
        drafts: FetchedDrafts,
        candles: CandleService,
    ) -> None:
        self._limits = limits_of(settings)
        self._connections = connections
        self._processes = processes
        self._drafts = drafts
        self._candles = candles

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Read what `job` asks for, keep it and return its id; `on_step` may raise to cancel."""
        on_step(0, 0)
        draft = self._processes.read(
            self._connections.get(job["connection"]),
            REQUEST.validate_python(job),
            limits=self._limits,
            on_page=lambda count: on_step(count, 0),
        )
        draft = with_calendar(draft)
        on_step(len(draft), 0)  # The last moment to cancel: from here on something is kept.
        if job["review"] and not self._candles.inspect(draft).clean:
            return self._drafts.put(draft)
        saved = self._candles.keep(draft, job["repair"])
        return self._drafts.put(draft, saved.id) if job["review"] else saved.id


def limits_of(settings: Settings) -> Limits:
    """Return the limits of one query."""
    return Limits(settings.query_seconds, settings.max_rows, settings.query_result_mb, settings.query_memory_mb)
