"""The speed of a stage and its remaining time."""

from __future__ import annotations

import time
from collections import deque

RECENT = 20  # steps over which the speed is averaged


class Pace:
    """Measures steps of `batch` windows each; `seconds` and `first` are those of earlier processes of the stage."""

    def __init__(self, steps: int, batch: int, seconds: float, first: int) -> None:
        self.steps, self.batch = steps, batch
        self._earlier_seconds, self._first = seconds, first
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._start = self._begun = self._warm = time.monotonic()

    @property
    def seconds(self) -> float:
        """Return the training time of the stage."""
        return self._earlier_seconds + time.monotonic() - self._start

    @property
    def windows_per_second(self) -> float:
        """Return the windows of all processes per second, over recent steps."""
        return self.batch * len(self._recent) / sum(self._recent)

    def begin(self) -> None:
        """Begin a step."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """End a step."""
        now = time.monotonic()
        if not self._recent:
            self._warm = now  # the first step compiles, maps and allocates
        self._recent.append(max(now - self._begun, 1e-9))

    def remaining(self, step: int) -> float | None:
        """Return the seconds left after `step` steps, validations included; None after a process's first step."""
        done = step - self._first - 1
        return (time.monotonic() - self._warm) / done * (self.steps - step) if done > 0 else None
