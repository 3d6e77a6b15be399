"""Candles from the databases that the administrator named: what they contain, and the jobs that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.data.calendars import with_calendar
from kronos_app.data.sql.connection import SqlConnection, named_connections, secrets_files
from kronos_app.data.sql.limits import INTERACTIVE_RESULT_MB, Limits
from kronos_app.data.sql.process import QueryProcesses
from kronos_app.data.sql.request import REQUEST, SqlRequest, validate
from kronos_app.data.upload.columns import shorten
from kronos_app.errors import require
from kronos_app.i18n import text
from kronos_app.services.candles.fetched import FetchedDrafts

if TYPE_CHECKING:
    from kronos_app.data.sql.reader import Preview
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.service import CandleService
    from kronos_app.settings import Settings

KIND = "query"
INTERACTIVE_SECONDS = 15.0  # a user waits in front of a page


@dataclass(frozen=True)
class Connections:
    """The named databases, read again on each call so that changes need no restart.

    `paths` are the files that name them, by default those that Streamlit reads. Methods raise `Unavailable` where a
    file cannot be read.
    """

    paths: Sequence[Path] | None = None

    def all(self) -> dict[str, SqlConnection]:
        """Return the databases by name."""
        return named_connections(secrets_files() if self.paths is None else self.paths)

    def get(self, name: str) -> SqlConnection:
        """Return a database; raise `NotFound` for an unknown name."""
        return require(
            self.all().get(name),
            "unknown_connection",
            text("There is no connection “{name}”.", name=shorten(name)),
            text("The administrator names connections in secrets.toml; see docs/sql.md."),
        )


class SqlService:
    """Looks into databases, and queues jobs that read them.

    Methods raise `NotFound` for an unknown connection or table, `InvalidInput` for a query that the database rejects,
    and `Unavailable` where the database does not answer.
    """

    def __init__(
        self, settings: Settings, connections: Connections, processes: QueryProcesses, jobs: JobRunner
    ) -> None:
        limits = limits_of(settings)
        self._limits = replace(
            limits,
            seconds=min(INTERACTIVE_SECONDS, limits.seconds),
            result_mb=min(INTERACTIVE_RESULT_MB, limits.result_mb),
        )
        self._connections = connections
        self._processes = processes
        self._jobs = jobs

    def connections(self) -> list[SqlConnection]:
        """Return the databases in the order of the file that names them."""
        return list(self._connections.all().values())

    def tables(self, name: str) -> list[str]:
        """Return the tables and views of a database that its user may read."""
        return self._processes.tables(self._connections.get(name), self._limits)

    def preview(self, name: str, request: SqlRequest) -> Preview:
        """Return the first rows of a table or a query."""
        return self._processes.preview(self._connections.get(name), request, self._limits)

    def symbols(self, name: str, table: str, column: str) -> list[str]:
        """Return the distinct symbols in a column of a table."""
        return self._processes.symbols(self._connections.get(name), table, column, self._limits)

    def submit(self, name: str, request: SqlRequest, *, repair: str | None = None, review: bool = False) -> str:
        """Queue the reading and return the id of its job, whose result is the id of the candle set.

        `repair` says how to repair faulty candles; None refuses them. With `review`, the result is the id of a draft,
        see `FetchedDrafts.save`. Raises `Conflict` where too many jobs are queued.
        """
        request = validate(request, self._connections.get(name).dialect)
        job = REQUEST.dump_python(request, mode="json") | {"connection": name, "repair": repair, "review": review}
        return self._jobs.submit(KIND, job).id


@dataclass(frozen=True)
class SqlWorker:
    """Runs the jobs that `SqlService` queued; thread-safe."""

    settings: Settings
    connections: Connections
    processes: QueryProcesses
    drafts: FetchedDrafts
    candles: CandleService

    def run(self, job: Mapping[str, Any], on_step: Callable[[int, int], None]) -> str:
        """Read and save candles, and return the id of the result; `on_step` may raise to cancel."""
        on_step(0, 0)
        draft = self.processes.read(
            self.connections.get(job["connection"]),
            REQUEST.validate_python(job),
            limits=limits_of(self.settings),
            on_page=lambda count: on_step(count, 0),
        )
        draft = with_calendar(draft)
        on_step(len(draft), 0)  # the last chance to cancel before something is saved
        return self.drafts.save(draft, job, self.candles)


def limits_of(settings: Settings) -> Limits:
    """Return the limits of one query."""
    return Limits(settings.query_seconds, settings.max_rows, settings.query_result_mb, settings.query_memory_mb)
