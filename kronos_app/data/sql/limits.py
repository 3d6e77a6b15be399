"""Limits of one query, and the errors of queries that exceed them."""

from __future__ import annotations

from dataclasses import dataclass

from kronos_app.errors import TooLarge, Unavailable
from kronos_app.i18n import text

MB = 1_000_000
STOP_SECONDS = 3.0  # grace period for a database to stop a cancelled query
INTERACTIVE_RESULT_MB = 50  # limit for previews and lists of names


@dataclass(frozen=True)
class Limits:
    """Limits of one query: seconds since its process started, rows and MB of the result, MB of process memory."""

    seconds: float
    rows: int = 2_000_000
    result_mb: int = 500
    memory_mb: int = 2_000

    @property
    def result_bytes(self) -> int:
        """Return the limit of the result in bytes."""
        return self.result_mb * MB

    @property
    def memory_bytes(self) -> int:
        """Return the memory limit in bytes."""
        return self.memory_mb * MB


def too_many_rows(limits: Limits) -> TooLarge:
    """Return the error of a query with more rows than the limit."""
    return TooLarge(
        "too_many_rows",
        text("The query returns more than {limit} rows.", limit=limits.rows),
        text("Choose a shorter range or a single symbol; KRONOS_MAX_ROWS sets the limit."),
    )


def too_many_bytes(limits: Limits) -> TooLarge:
    """Return the error of a query whose result is larger than the limit."""
    return TooLarge(
        "too_many_bytes",
        text("The result of the query is larger than {limit} MB.", limit=limits.result_mb),
        text("Select only the candle columns, or a shorter range; KRONOS_QUERY_RESULT_MB sets the limit."),
    )


def too_much_memory(limits: Limits) -> TooLarge:
    """Return the error of a query that needs more memory than the limit."""
    return TooLarge(
        "sql_memory",
        text("The query needs more than {limit} MB of memory and was stopped.", limit=limits.memory_mb),
        text("Select fewer rows or shorter values; KRONOS_QUERY_MEMORY_MB sets the limit."),
    )


def too_slow(limits: Limits) -> Unavailable:
    """Return the error of a query that exceeded its time limit."""
    return Unavailable(
        "sql_too_slow",
        text("The query took longer than {seconds} seconds and was stopped.", seconds=round(limits.seconds)),
        text("Choose a shorter range or fewer rows; KRONOS_QUERY_SECONDS sets the limit."),
    )
