"""The past as it was known at a cutoff: whatever asks for more is refused.

Models, baselines and calibration are handed an `AsOf`, never the arrays behind it, and what it hands out are copies:
a view would still hold what came later.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.errors import TrainingError, message


class LookAhead(TrainingError, IndexError):
    """Something past the cutoff was asked for."""


class AsOf:
    """Rows that were known at `cutoff`, each from its own time on.

    Parameters
    ----------
    times
        When each row became known: nanoseconds since 1970, int64 (N,), ascending.
    values
        The rows, (N, ...).
    cutoff
        Last time that may be read, in the same nanoseconds.
    name
        Whose rows these are, for messages.
    """

    def __init__(self, times: np.ndarray, values: np.ndarray, cutoff: int, name: str = "") -> None:
        self._times, self._values = times, values
        self._known = int(np.searchsorted(times, cutoff, side="right"))
        self.cutoff, self.name = int(cutoff), name

    def __len__(self) -> int:
        return self._known

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return rows `start ... stop - 1`, counted from the first one.

        Raises
        ------
        LookAhead
            One of them was not known yet.
        """
        self._check(start, stop)
        return np.array(self._values[start:stop], dtype=np.float64)

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return when rows `start ... stop - 1` became known; raises as `rows` does."""
        self._check(start, stop)
        return np.array(self._times[start:stop], dtype=np.int64)

    def last(self, count: int) -> np.ndarray:
        """Return the last `count` rows that were known, or all if there are fewer."""
        return self.rows(max(0, self._known - count), self._known)

    def last_times(self, count: int) -> np.ndarray:
        """Return when the rows of `last` became known."""
        return self.times(max(0, self._known - count), self._known)

    def until(self, time: int) -> np.ndarray:
        """Return the rows known at `time`, nanoseconds since 1970.

        Raises
        ------
        LookAhead
            `time` lies past the cutoff.
        """
        if time > self.cutoff:
            raise self._refusal(time)
        return self.rows(0, int(np.searchsorted(self._times, time, side="right")))

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop:
            raise ValueError(f"Rows {start} to {stop} are no range: count from the first row.")
        if stop > self._known:
            beyond = min(stop, len(self._times)) - 1
            raise self._refusal(int(self._times[beyond]) if beyond >= self._known else self.cutoff + 1)

    def _refusal(self, time: int) -> LookAhead:
        return LookAhead(
            message(
                "{series}: {time} was asked for, and nothing after the cutoff {cutoff} may be read.",
                series=self.name,
                time=str(pd.Timestamp(time)),
                cutoff=str(pd.Timestamp(self.cutoff)),
            )
        )
