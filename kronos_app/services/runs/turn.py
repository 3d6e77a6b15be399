"""Jobs of one kind that take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

SECONDS_TO_LOOK = 0.5  # whether it was cancelled while it waits
OnStep = Callable[[int, int], None]


class Turn:
    """Lets one job go on at a time: two would only take each other's cores and memory."""

    def __init__(self) -> None:
        self._lock = Lock()

    @contextmanager
    def alone(self, on_step: OnStep) -> Iterator[None]:
        """Wait until no other is under way; `on_step` may raise to cancel."""
        while not self._lock.acquire(timeout=SECONDS_TO_LOOK):
            on_step(0, 0)
        try:
            yield
        finally:
            self._lock.release()
