"""Limits of the bytes of request bodies in memory, for each caller and for the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kronos_app.errors import TooLarge, TooManyRequests, Unavailable
from kronos_app.i18n import text

MB = 1024 * 1024
SECONDS_TO_RETRY = 5


class Transfers:
    """Counts bytes of request bodies; not thread-safe, for the event loop only.

    Parameters
    ----------
    total, per_caller
        Limits in bytes.
    held
        Returns, by caller, the bytes of earlier uploads that are still in memory.
    """

    def __init__(self, total: int, per_caller: int, held: Callable[[], Mapping[str, int]] = dict) -> None:
        self._total = total
        self._per_caller = per_caller
        self._held = held
        self._bytes: dict[str, int] = {}

    def reserve(self, caller: str, size: int) -> None:
        """Add `size` bytes to the count of a caller.

        Raises
        ------
        TooLarge
            `size` alone is over the limit of a caller.
        TooManyRequests
            The bytes of this caller are over the limit of a caller.
        Unavailable
            The bytes of all callers are over the limit of the server.
        """
        held = self._held()
        limit = self._per_caller // MB
        if size > self._per_caller:
            raise TooLarge("body_too_large", text("The request is larger than {limit} MB.", limit=limit), _REMEDY)
        if self._bytes.get(caller, 0) + held.get(caller, 0) + size > self._per_caller:
            raise TooManyRequests(
                "too_many_uploads",
                text("Your uploads together are larger than {limit} MB.", limit=limit),
                _REMEDY,
                retry_after=SECONDS_TO_RETRY,
            )
        if sum(self._bytes.values()) + sum(held.values()) + size > self._total:
            raise Unavailable(
                "uploads_busy",
                text("The uploads of all callers together are larger than {limit} MB.", limit=self._total // MB),
                text("Try again later; KRONOS_MAX_TRANSFERS_MB sets the limit."),
                retry_after=SECONDS_TO_RETRY,
            )
        self._bytes[caller] = self._bytes.get(caller, 0) + size

    def release(self, caller: str, size: int) -> None:
        """Subtract `size` bytes from the count of a caller."""
        left = self._bytes.pop(caller, 0) - size
        if left > 0:
            self._bytes[caller] = left


_REMEDY = text(
    "Wait until an upload has finished, or remove a file; KRONOS_MAX_TRANSFERS_PER_CALLER_MB sets the limit."
)
