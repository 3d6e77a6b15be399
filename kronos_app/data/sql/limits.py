"""What one query may take, and the errors of queries that take more."""

from __future__ import annotations

from dataclasses import dataclass

from kronos_app.errors import TooLarge, Unavailable
from kronos_app.i18n import text

MB = 1_000_000
STOP_SECONDS = 3.0  # for a database to be told that its query is not needed any more
LOOK_RESULT_MB = 50  # of a preview or a list of names


@dataclass(frozen=True)
class Limits:
    """What one query may take.

    Attributes
    ----------
    seconds
        From the moment that the process which runs it has started.
    rows
        Rows of the result.
    result_mb
        Text and numbers that the database may send, in MB.
    memory_mb
        Memory of the process that runs the query, in MB.
    """

    seconds: float
    rows: int = 2_000_000
    result_mb: int = 500
    memory_mb: int = 2_000

    @property
    def result_bytes(self) -> int:
        """Return the most bytes that the database may send."""
        return self.result_mb * MB

    @property
    def memory_bytes(self) -> int:
        """Return the most bytes of memory."""
        return self.memory_mb * MB


def too_many_rows(limits: Limits) -> TooLarge:
    """Return the error of a query with more rows than the limit."""
    return TooLarge(
        "too_many_rows",
        text("There are more than {limit} rows.", limit=limits.rows),
        text("Ask for a shorter range or one instrument; KRONOS_MAX_ROWS sets the limit."),
    )


def too_many_bytes(limits: Limits) -> TooLarge:
    """Return the error of a query whose rows take more bytes than the limit."""
    return TooLarge(
        "too_many_bytes",
        text("The rows of the query take more than {limit} MB.", limit=limits.result_mb),
        text("Select only the columns of the candles, or a shorter range; KRONOS_QUERY_RESULT_MB sets the limit."),
    )


def too_much_memory(limits: Limits) -> TooLarge:
    """Return the error of a query that needs more memory than the limit."""
    return TooLarge(
        "sql_memory",
        text("The query needs more than {limit} MB of memory and was stopped.", limit=limits.memory_mb),
        text("Select fewer rows or shorter values; KRONOS_QUERY_MEMORY_MB sets the limit."),
    )


def too_slow(limits: Limits) -> Unavailable:
    """Return the error of a query that took its whole time."""
    return Unavailable(
        "sql_too_slow",
        text("The query took longer than {seconds} seconds and was stopped.", seconds=round(limits.seconds)),
        text("Ask for a shorter range or fewer rows; KRONOS_QUERY_SECONDS sets the limit."),
    )
