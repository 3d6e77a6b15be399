"""What a failure of the database means for people: no answer, in use elsewhere, damaged, not writable, full."""

from __future__ import annotations

import re

import sqlalchemy as sa

from kronos_app.errors import Unavailable
from kronos_app.i18n import Text, text

FAILURES = (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError)
# What the drivers say; they have no error codes for these.
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
    """The database cannot be reached now; it may answer later, and then all goes on."""

    retry_after = 5


def is_damage(error: Exception) -> bool:
    """Return whether a driver's error means that the file itself is broken."""
    return _says(error, DAMAGED)


def is_read_only(error: Exception) -> bool:
    """Return whether a driver's error means that the file or its folder cannot be written."""
    return isinstance(error, PermissionError) or _says(error, READ_ONLY)


def explain(error: Exception, name: str, *, is_file: bool) -> Unavailable:
    """Return the error for people that a driver's `error` amounts to.

    Parameters
    ----------
    name
        The database: its file, or its address without the password.
    """
    if _says(error, LOCKED):
        return _locked(error, name)
    if _says(error, NEWER_FORMAT):
        return unusable(
            text("{name} was written by a newer version of the database and is left as it is.", name=name),
            text("Update Kronos Desk and start it again."),
        )
    if _says(error, FULL):
        return unusable(
            text("{name} cannot grow: the disk is full. Nothing of this was saved.", name=name),
            text("Make room on the disk, then try again."),
        )
    if is_file and is_damage(error):
        return damaged(name)
    if is_read_only(error):
        return read_only(name)
    if is_file:
        return unusable(
            text("{name} cannot be read or written.", name=name),
            text("Check the disk, the folder's permissions and the log, then try again."),
        )
    if isinstance(error, sa.exc.DBAPIError) and not _is_about_the_connection(error):
        return unusable(
            text("The database {name} refused what it was asked.", name=name),
            text("The log has the reason. Report it with the log if the database is of this version of Kronos Desk."),
        )
    return Outage(
        "store_unavailable",
        text("The database {name} does not answer.", name=name),
        text("Check the database server and KRONOS_DATABASE_URL. Kronos Desk tries to connect again by itself."),
    )


def unusable(reason: Text, remedy: Text) -> Unavailable:
    """Return the error of a database that somebody has to mend."""
    return Unavailable("store_unavailable", reason, remedy)


def read_only(name: str) -> Unavailable:
    """Return the error of a write to a database that can only be read."""
    return Unavailable(
        "store_read_only",
        text("{name} cannot be written. What is stored can be read, but nothing new can be saved.", name=name),
        text("Check the folder's permissions and free space, or set KRONOS_HOME to another folder."),
    )


def damaged(name: str) -> Unavailable:
    """Return the error of a read that met damage in the file."""
    return Unavailable(
        "store_damaged",
        text("A part of {name} is damaged and cannot be read. The file was not changed.", name=name),
        text(
            "Stop Kronos Desk and restore the file from a backup. Without a backup, move the file aside and start "
            "Kronos Desk again: it makes a new database."
        ),
    )


def owned(name: str, owner: str) -> Outage:
    """Return the error of a database that another Kronos Desk works on."""
    return Outage(
        "store_in_use",
        text("{name} is in use by another Kronos Desk ({owner}).", name=name, owner=owner),
        text("Stop the other one, or give this one a database of its own. It goes on by itself once the other stops."),
    )


def _locked(error: Exception, name: str) -> Outage:
    holder = _HOLDER.search(str(error))
    reason = (
        text("{name} is in use by another program (process {process}).", name=name, process=holder[1])
        if holder
        else text("{name} is in use by another program.", name=name)
    )
    return Outage(
        "store_in_use", reason, text("Close the other program. Kronos Desk goes on by itself once the file is free.")
    )


def _is_about_the_connection(error: sa.exc.DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError)


def _says(error: Exception, signs: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(sign in said for sign in signs)
