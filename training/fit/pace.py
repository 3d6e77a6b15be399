"""How fast a stage is trained, and when it will be over."""

from __future__ import annotations

import time
from collections import deque

RECENT = 20  # steps that the present speed is taken over


class Pace:
    """How fast it goes.

    Parameters
    ----------
    steps, batch
        Of the stage: all steps, and windows a step.
    before, first
        Seconds and steps of earlier processes that trained the same stage.
    """

    def __init__(self, steps: int, batch: int, before: float, first: int) -> None:
        self.steps, self.batch = steps, batch
        self._before, self._first = before, first
        self._since = time.monotonic()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._begun = self._warm = self._since

    @property
    def seconds(self) -> float:
        """Return how long the stage has been trained."""
        return self._before + time.monotonic() - self._since

    @property
    def windows_per_second(self) -> float:
        """Return the windows of all processes a second, over recent steps."""
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
        """Return the seconds left after `step` steps, validations included; None after the first of a process."""
        done = step - self._first - 1
        return (time.monotonic() - self._warm) / done * (self.steps - step) if done > 0 else None
