"""The keeper: one thread that regularly checks follows, grades the ledger and starts fine-tuning runs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from kronos_app.errors import AppError

log = logging.getLogger(__name__)

SECONDS_BEFORE = 20.0  # after the start, for the first page and for jobs of an earlier process
SECONDS_BETWEEN = 10.0
SECONDS_WHILE_MORE = 1.0


class Keeper:
    """Calls its duties again and again; each returns whether it should be called again soon."""

    def __init__(self, *duties: Callable[[], bool]) -> None:
        self._duties = duties
        self._wake = Event()
        self._stopping = False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._stopping = False
            self._thread = Thread(target=self._run, name="kronos-keeper", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Call all duties now."""
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop after the current duty, at most after `timeout` seconds."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None

    def round(self) -> bool:
        """Call every duty once; return whether one has more to do. A failure is logged and ends no other duty."""
        more = False
        for duty in self._duties:
            try:
                more = duty() or more
            except AppError as error:
                log.warning("%s: %s", error.code, error)
            except Exception:  # the next round may succeed
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
