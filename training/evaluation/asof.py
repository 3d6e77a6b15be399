"""Read access to the past as it was known at a cutoff. Reading anything later raises `LookAhead`.

Models, baselines and calibration get an `AsOf`, never the arrays behind it. It returns copies, because a view would
still reach the later rows.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.errors import TrainingError, message


class LookAhead(TrainingError, IndexError):
    """Rows after the cutoff were requested."""


class AsOf:
    """Rows (N, ...) that were known at `cutoff`; `name` is their symbol, for messages.

    `times` are when each row became known: nanoseconds since 1970, int64 (N,), ascending.
    """

    def __init__(self, times: np.ndarray, values: np.ndarray, cutoff: int, name: str = "") -> None:
        self._times, self._values = times, values
        self._known = int(np.searchsorted(times, cutoff, side="right"))
        self.cutoff, self.name = int(cutoff), name

    def __len__(self) -> int:
        return self._known

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Return rows `start ... stop - 1`; raises `LookAhead` if one of them was not known yet."""
        self._check(start, stop)
        return np.array(self._values[start:stop], dtype=np.float64)

    def times(self, start: int, stop: int) -> np.ndarray:
        """Return when rows `start ... stop - 1` became known; raises as `rows` does."""
        self._check(start, stop)
        return np.array(self._times[start:stop], dtype=np.int64)

    def last(self, count: int) -> np.ndarray:
        """Return the last `count` known rows, or all if there are fewer."""
        return self.rows(max(0, self._known - count), self._known)

    def last_times(self, count: int) -> np.ndarray:
        """Return when the rows of `last` became known."""
        return self.times(max(0, self._known - count), self._known)

    def until(self, time: int) -> np.ndarray:
        """Return the rows known at `time`, in nanoseconds; raises `LookAhead` if that is after the cutoff."""
        if time > self.cutoff:
            raise self._look_ahead(time)
        return self.rows(0, int(np.searchsorted(self._times, time, side="right")))

    def _check(self, start: int, stop: int) -> None:
        if not 0 <= start <= stop:
            raise ValueError(f"Rows {start} to {stop} are not a range: count from the first row.")
        if stop > self._known:
            last = min(stop, len(self._times)) - 1
            raise self._look_ahead(int(self._times[last]) if last >= self._known else self.cutoff + 1)

    def _look_ahead(self, time: int) -> LookAhead:
        return LookAhead(
            message(
                "{series}: a row of {time} was requested, but nothing after the cutoff {cutoff} may be read.",
                series=self.name,
                time=str(pd.Timestamp(time)),
                cutoff=str(pd.Timestamp(self.cutoff)),
            )
        )
