"""Errors of databases as errors for users: no answer, in use, damaged, read-only, full."""

from __future__ import annotations

import re

import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text

FAILURES = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)
# Parts of the drivers' messages; they have no error codes for these.
LOCKED = ("could not set lock", "being used by another process", "database is locked")
NEWER_FORMAT = ("version number",)
DAMAGED = (
    "not a valid duckdb database",
    "corrupt",
    "could not read enough bytes",
    "wal file",
    "serialization error",
    "internal error",
    "file is not a database",
    "malformed",
)
FULL = ("no space left", "disk is full", "file too large", "out of disk space", "could not extend file")
READ_ONLY = ("read-only", "readonly", "permission denied", "read only", "unable to open database file")
_HOLDER = re.compile(r"\(PID (\d+)\)")


class Outage(Unavailable):
    """The database does not answer now; work continues when it does."""

    retry_after = 5


def explain(error: Exception, name: str, *, is_file: bool) -> Unavailable:
    """Return the error for users of a driver's `error`.

    Parameters
    ----------
    name
        The file of the database, or its address without the password.
    """
    if _says(error, LOCKED):
        return _locked(error, name)
    if _says(error, NEWER_FORMAT):
        return unusable(
            text("{name} was written by a newer version of DuckDB or SQLite and was not changed.", name=name),
            text("Update Kronos Desk and start it again."),
        )
    if _says(error, FULL):
        return unusable(
            text("{name} cannot grow: the disk is full. Nothing was saved.", name=name),
            text("Free space on the disk, then try again."),
        )
    if is_file and _says(error, DAMAGED):
        return Unavailable(
            "store_damaged",
            text("A part of {name} is damaged and cannot be read. The file was not changed.", name=name),
            text(
                "Stop Kronos Desk and restore the file from a backup. Without a backup, move the file aside and start "
                "Kronos Desk again: it makes a new database."
            ),
        )
    if isinstance(error, PermissionError) or _says(error, READ_ONLY):
        return read_only(name)
    if is_file:
        return unusable(
            text("{name} cannot be read or written.", name=name),
            text("Check the disk, the folder's permissions and the log, then try again."),
        )
    if isinstance(error, sa.exc.DBAPIError) and not _is_about_the_connection(error):
        return unusable(
            text("The database {name} reported an error.", name=name),
            text("See the log. If this version of Kronos Desk made the database, report it with the log."),
        )
    return Outage(
        "store_unavailable",
        text("The database {name} does not answer.", name=name),
        text("Check the database server and KRONOS_DATABASE_URL. Kronos Desk reconnects automatically."),
    )


def unusable(reason: Text, remedy: Text) -> Unavailable:
    """Return the error of a database that an administrator must repair."""
    return Unavailable("store_unavailable", reason, remedy)


def read_only(name: str) -> Unavailable:
    """Return the error of a write to a read-only database."""
    return Unavailable(
        "store_read_only",
        text("{name} cannot be written. What is stored can be read, but nothing new can be saved.", name=name),
        text("Check the folder's permissions and free space, or set KRONOS_HOME to another folder."),
    )


def owned(name: str, owner: str) -> Outage:
    """Return the error of a database that another Kronos Desk has locked."""
    return Outage(
        "store_in_use",
        text("{name} is in use by another Kronos Desk ({owner}).", name=name, owner=owner),
        text("Stop the other one, or give this one its own database. This one continues when the other one stops."),
    )


def _locked(error: Exception, name: str) -> Outage:
    holder = _HOLDER.search(str(error))
    reason = (
        text("{name} is in use by another program (process {process}).", name=name, process=holder[1])
        if holder
        else text("{name} is in use by another program.", name=name)
    )
    return Outage("store_in_use", reason, text("Close the other program. Kronos Desk continues when the file is free."))


def _is_about_the_connection(error: sa.exc.DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def _says(error: Exception, signs: tuple[str, ...]) -> bool:
    message = str(error).lower()
    return any(sign in message for sign in signs)
