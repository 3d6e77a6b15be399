"""Who keeps time: one thread that has follows looked at when they are due, and the ledger kept."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from kronos_app.errors import AppError

log = logging.getLogger(__name__)

# The first page and what an earlier process left undone come first.
SECONDS_BEFORE = 20.0
SECONDS_BETWEEN = 10.0
SECONDS_WHILE_MORE = 1.0


class Keeper:
    """Calls its duties again and again, sooner where one says that more is to be done.

    Parameters
    ----------
    duties
        Each returns whether it would like to be called again soon.
    """

    def __init__(self, *duties: Callable[[], bool]) -> None:
        self._duties = duties
        self._wake = Event()
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start; a second call does nothing."""
        if self._thread is None:
            self._stopping = False
            self._thread = Thread(target=self._run, name="kronos-keeper", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Have all duties done now rather than soon."""
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop after the present duty, at most after `timeout` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def round(self) -> bool:
        """Do every duty once; return whether one of them has more to do. A failure ends neither the others nor us."""
        more = False
        for duty in self._duties:
            try:
                more = duty() or more
            except AppError as error:
                log.warning("%s: %s", error.code, error)
            except Exception:  # Whatever it was, the next round may be better.
                log.exception("A duty failed")
        return more

    def _run(self) -> None:
        pause = SECONDS_BEFORE
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            if self._stopping:
                return
            pause = SECONDS_WHILE_MORE if self.round() else SECONDS_BETWEEN
