"""Series, and the cutoffs at which they are forecast."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from engine.candles import CLOSE, FEATURES, PRICES
from training.errors import DataError, message
from training.evaluation.asof import AsOf
from training.fit.corpus import Corpus


@dataclass(frozen=True, eq=False)
class Series:
    """Candles of one symbol without a break.

    Attributes
    ----------
    group
        Market and interval, such as `crypto/1h`.
    values
        Candles (N, 6) in the model's order; a column that is not known holds NaN.
    times
        Nanoseconds since 1970 in the source's own time, int64 (N,), ascending.
    """

    group: str
    symbol: str
    values: np.ndarray
    times: np.ndarray

    @classmethod
    def of(cls, frame: pd.DataFrame, symbol: str, group: str = "") -> Series:
        """Return the series of a frame with columns timestamp, open, high, low, close, optionally volume and amount.

        Raises
        ------
        DataError
            A price is missing, not finite or not above zero, or times do not ascend.
        """
        values = frame.reindex(columns=list(FEATURES)).to_numpy(np.float64)
        prices = values[:, : len(PRICES)]
        times = pd.DatetimeIndex(frame["timestamp"]).tz_localize(None).as_unit("ns")
        bad = ~(np.isfinite(prices) & (prices > 0)).all(axis=1)
        if bad.any():
            raise DataError(
                message(
                    "{symbol}: the candle of {time} has a price that is missing or not above zero.",
                    symbol=symbol,
                    time=str(times[int(bad.argmax())]),
                )
            )
        if not (times.is_monotonic_increasing and times.is_unique):
            raise DataError(message("{symbol}: candles must ascend in time, one at each.", symbol=symbol))
        return cls(group, symbol, values, times.asi8)

    def __len__(self) -> int:
        return len(self.times)

    def frame(self, start: int, stop: int) -> pd.DataFrame:
        """Return rows `start ... stop - 1` with a column timestamp; columns that are not known are left out."""
        return candles(self.values[start:stop], self.times[start:stop])


@dataclass(frozen=True, eq=False)
class Cutoff:
    """A place of a series: `row` is the first candle that is forecast, the one before the last that is known."""

    series: Series
    row: int
    lookback: int
    horizon: int

    @property
    def group(self) -> str:
        """Return market and interval."""
        return self.series.group

    @property
    def symbol(self) -> str:
        """Return whose candles these are."""
        return self.series.symbol

    @property
    def time(self) -> int:
        """Return the time of the last known candle, nanoseconds since 1970."""
        return int(self.series.times[self.row - 1])

    @property
    def past(self) -> AsOf:
        """Return what was known: all that a forecaster may see."""
        return AsOf(self.series.times, self.series.values, self.time, self.symbol)

    @property
    def future_times(self) -> np.ndarray:
        """Return the times to forecast (horizon,), as a trading calendar gives them beforehand."""
        return np.asarray(self.series.times[self.row : self.row + self.horizon])

    @property
    def known_at(self) -> int:
        """Return when the last candle to forecast has come: only then may anyone learn from this forecast."""
        return int(self.future_times[-1])

    @property
    def actual(self) -> np.ndarray:
        """Return the candles that came, float64 (horizon, 6): for those who judge, nobody else."""
        return np.array(self.series.values[self.row : self.row + self.horizon], dtype=np.float64)

    @cached_property
    def history(self) -> pd.DataFrame:
        """Return the last `lookback` known candles as a frame."""
        return self.series.frame(self.row - self.lookback, self.row)

    @cached_property
    def future(self) -> pd.DataFrame:
        """Return the candles that came as a frame."""
        return self.series.frame(self.row, self.row + self.horizon)


def candles(values: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """Return candles (T, 6) at `times` (T,) as a frame; columns that are not known throughout are left out."""
    frame = pd.DataFrame(np.asarray(values, dtype=np.float64), columns=list(FEATURES))
    known: pd.DataFrame = frame[[name for name in FEATURES if np.isfinite(frame[name]).all()]]
    return known.assign(timestamp=pd.DatetimeIndex(np.asarray(times).view("M8[ns]")))


def series_of(corpus: Corpus) -> list[Series]:
    """Return the segments of a corpus as series; candles are not copied."""
    return [
        Series(s.group, s.symbol, corpus.values[s.start : s.stop], corpus.times[s.start : s.stop])
        for s in corpus.segments
    ]


def spread(
    series: Sequence[Series], *, lookback: int, horizon: int, count: int, seed: int, together: int | None = None
) -> list[Cutoff]:
    """Return up to `count` cutoffs whose futures do not overlap, the same ones for the same seed, ordered by time.

    Groups take turns, so that each has its share. Within one, cutoffs lie on a common grid of times, and a drawn time
    takes several symbols that have it: ranks across symbols need forecasts of one time.

    Parameters
    ----------
    together
        Symbols that a time takes before the next one is drawn; None takes as many as there will be times. With 1 there
        are as many times as can be: forecasts of one time rise and fall together, and tell less.
    """
    grids = [_by_time(group, lookback, horizon) for group in _groups(series)]
    rng = np.random.default_rng(seed)
    together = together or max(1, round(np.sqrt(count / max(1, len(grids)))))  # as many symbols at a time as times
    queues = [_turns(grid, together, rng) for grid in grids if grid]
    chosen: list[Cutoff] = []
    while queues and len(chosen) < count:
        for queue in list(queues):
            taken = next(queue, None)
            if taken is None:
                queues.remove(queue)
            else:
                chosen += taken[: count - len(chosen)]
    return _ordered(chosen)


def rolling(
    series: Sequence[Series], *, lookback: int, horizon: int, n_windows: int | None = None, step_size: int | None = None
) -> list[Cutoff]:
    """Return the last `n_windows` cutoffs of each series, `step_size` candles apart, ordered by time.

    Parameters
    ----------
    n_windows
        None takes all that fit.
    step_size
        None takes `horizon`: futures do not overlap.
    """
    found: list[Cutoff] = []
    for one in series:
        rows = range(len(one) - horizon, lookback - 1, -(step_size or horizon))
        found += [Cutoff(one, row, lookback, horizon) for row in rows if _moved(one, row, lookback)][:n_windows]
    return _ordered(found)


def _ordered(cutoffs: list[Cutoff]) -> list[Cutoff]:
    return sorted(cutoffs, key=lambda cutoff: (cutoff.time, cutoff.group, cutoff.symbol))


def _groups(series: Sequence[Series]) -> Iterator[list[Series]]:
    groups: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        groups[one.group].append(one)
    yield from (groups[name] for name in sorted(groups))


def _by_time(series: Sequence[Series], lookback: int, horizon: int) -> list[list[Cutoff]]:
    """Return the cutoffs at every `horizon`-th time of the group, by time."""
    grid = np.unique(np.concatenate([one.times for one in series]))[lookback - 1 :: horizon]
    found: dict[int, list[Cutoff]] = defaultdict(list)
    for one in series:
        free = lookback
        for row in np.unique(np.searchsorted(one.times, grid, side="right")).tolist():
            if free <= row <= len(one) - horizon and _moved(one, row, lookback):
                found[int(one.times[row - 1])].append(Cutoff(one, row, lookback, horizon))
                free = row + horizon
    return [found[time] for time in sorted(found)]


def _moved(series: Series, row: int, lookback: int) -> bool:
    """Return whether the close moved at all before `row`: else errors have no unit."""
    close = series.values[row - lookback : row, CLOSE]
    return bool((close != close[0]).any())


def _turns(grid: list[list[Cutoff]], together: int, rng: np.random.Generator) -> Iterator[list[Cutoff]]:
    """Yield up to `together` cutoffs of one time after another, first of symbols that had fewest."""
    used: Counter[str] = Counter()
    left = [[here[i] for i in rng.permutation(len(here))] for here in grid]
    order = _golden(len(grid), float(rng.random()))
    while any(left):
        for index in order:
            left[index].sort(key=lambda cutoff: used[cutoff.symbol])
            taken, left[index] = left[index][:together], left[index][together:]
            used.update(cutoff.symbol for cutoff in taken)
            if taken:
                yield taken


def _golden(count: int, offset: float) -> list[int]:
    """Return 0 ... count - 1 so that the first few, however many, are spread out evenly: steps of the golden ratio."""
    steps = ((np.arange(2 * count) * 0.6180339887498949 + offset) % 1.0 * count).astype(int)
    return list(dict.fromkeys([*steps.tolist(), *range(count)]))
