"""The errors that users see.

    AppError                 any error with a message for the user
    ├── InvalidInput         422: a file, field or setting to be corrected
    ├── NotFound             404: an unknown id
    ├── Unauthorized         401: a missing or wrong token
    ├── Forbidden            403: a request that this sender may not make
    ├── TooLarge             413: over a limit of size, rows or memory
    ├── Conflict             409: not possible in the present state
    ├── TooManyRequests      429: over a limit of one caller
    └── Unavailable          503: the store, a hub or an exchange does not answer

Each carries a stable `code` for programs, a `message` that names the file, row or field, and a `hint` that says what
to do; where waiting helps, `retry_after` in seconds.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from kronos_app.i18n import Text, text

Record = TypeVar("Record")


class AppError(Exception):
    """An error with a message for the user and an HTTP status."""

    status = 500
    retry_after: int | None = None

    def __init__(
        self,
        code: str,
        message: Text,
        hint: Text | None = None,
        *,
        retry_after: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message.render())
        self.status = status or self.status
        self.code = code
        self.message = message
        self.hint = hint or text("")
        self.retry_after = retry_after or self.retry_after

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form that keeps the message translatable (job records store it)."""
        return {"code": self.code, "message": self.message.to_dict(), "hint": self.hint.to_dict()}


class InvalidInput(AppError):
    """Input that the user can correct."""

    status = 422


class NotFound(AppError):
    """No record under this id."""

    status = 404


def require(record: Record | None, code: str, message: Text, hint: Text) -> Record:
    """Return `record`, or raise `NotFound` if it is None."""
    if record is None:
        raise NotFound(code, message, hint)
    return record


class Unauthorized(AppError):
    """A missing or wrong token."""

    status = 401


class Forbidden(AppError):
    """A request that this sender may not make."""

    status = 403


class TooLarge(AppError):
    """Input beyond a limit of size, rows or memory."""

    status = 413


class Conflict(AppError):
    """A request that the present state does not allow."""

    status = 409


class TooManyRequests(AppError):
    """A request over a limit of one caller."""

    status = 429


class Unavailable(AppError):
    """Something outside this program does not answer."""

    status = 503


CHECK_HOME = text("Check the free space and the permissions of the app's home.")


@contextmanager
def explain_os_errors(code: str, message: Text, hint: Text) -> Iterator[None]:
    """Raise an OSError of the block as `Unavailable`, with its reason as `{reason}` of the message."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unavailable(code, Text(message.msgid, {**message.params, "reason": reason}), hint) from error


_DISK = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def disk_error(error: OSError) -> Unavailable | None:
    """Return the error of a file or folder that cannot be written, None for any other error."""
    if error.errno not in _DISK or error.filename is None:
        return None
    return Unavailable(
        "not_writable",
        text("{file} cannot be written: {reason}.", file=str(error.filename), reason=error.strerror or str(error)),
        text("Check the permissions of the folder and the free space, or set KRONOS_HOME to another folder."),
    )
