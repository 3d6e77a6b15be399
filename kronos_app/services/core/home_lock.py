"""A lock that allows one Kronos Desk per home folder: two would take each other's jobs for interrupted."""

from __future__ import annotations

import json
import logging
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from kronos_app.errors import Conflict
from kronos_app.i18n import Text, text
from kronos_app.store.records import now

log = logging.getLogger(__name__)

LOCK, HOLDER = "desk.lock", "desk.process.json"


class HomeLock:
    """The lock of a home folder; the system releases it when the process ends."""

    def __init__(self, home: Path) -> None:
        self._home = home
        # A singleton, because one process may open two desks, as tests do.
        self._lock = FileLock(home / LOCK, thread_local=False, is_singleton=True)

    def acquire(self) -> None:
        """Take the lock; a folder that cannot be written needs none.

        Raises Conflict: `home_in_use`: another process holds the lock; the message names it.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            holder = {"process": os.getpid(), "host": socket.gethostname(), "since": now().isoformat()}
            (self._home / HOLDER).write_text(json.dumps(holder), encoding="utf-8")
        except Timeout as error:
            raise Conflict(
                "home_in_use",
                text(
                    "{home} is in use by another Kronos Desk ({holder}).", home=str(self._home), holder=self._holder()
                ),
                text("Stop the other one, or set KRONOS_HOME to another folder."),
            ) from error
        except OSError as error:
            log.warning("The home folder %s cannot be written: %s", self._home, error)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _holder(self) -> str:
        try:
            holder = json.loads((self._home / HOLDER).read_text(encoding="utf-8"))
            return (
                f"process {holder['process']} on {holder['host']}, since {holder['since'][:16].replace('T', ' ')} UTC"
            )
        except (OSError, ValueError, KeyError, TypeError):
            return "?"


def unwritable(home: Path) -> Text | None:
    """Return why nothing can be saved in the home folder, None if it can."""
    folder = home
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return None
    return text(
        "The folder {folder} cannot be written: uploads, forecasts and runs cannot be saved. Make it writable for the "
        "user that runs Kronos Desk, or set KRONOS_HOME to another folder.",
        folder=str(folder),
    )
