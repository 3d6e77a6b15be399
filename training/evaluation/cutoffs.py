"""Series of candles, and the cutoffs at which they are forecast."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from engine.candles import CLOSE, FEATURES, PRICES
from training.errors import DataError
from training.evaluation.asof import AsOf
from training.fit.corpus import Corpus
from training.run.config import WindowConfig


@dataclass(frozen=True, eq=False)
class Series:
    """Candles of one symbol without a break."""

    group: str  # market and interval, such as `crypto/1h`
    symbol: str
    values: np.ndarray  # candles (N, 6) in the model's order; a missing column is NaN
    times: np.ndarray  # nanoseconds since 1970 in the source's own time, int64 (N,), ascending

    @classmethod
    def of(cls, frame: pd.DataFrame, symbol: str, group: str = "") -> Series:
        """Return the series of a frame with columns timestamp, open, high, low, close, optionally volume and amount.

        Raises DataError if a price is missing, not finite or not above zero, or times do not ascend.
        """
        values = frame.reindex(columns=list(FEATURES)).to_numpy(np.float64)
        prices = values[:, : len(PRICES)]
        times = pd.DatetimeIndex(frame["timestamp"]).tz_localize(None).as_unit("ns")
        bad = ~(np.isfinite(prices) & (prices > 0)).all(axis=1)
        if bad.any():
            raise DataError(
                "{symbol}: the candle of {time} has a price that is missing or not above zero.",
                symbol=symbol,
                time=str(times[int(bad.argmax())]),
            )
        if not (times.is_monotonic_increasing and times.is_unique):
            raise DataError("{symbol}: candles must ascend in time, one at each time.", symbol=symbol)
        return cls(group, symbol, values, times.asi8)

    def __len__(self) -> int:
        return len(self.times)

    def frame(self, start: int, stop: int) -> pd.DataFrame:
        """Return rows `start ... stop - 1` with a column timestamp, without missing columns."""
        return candles(self.values[start:stop], self.times[start:stop])


@dataclass(frozen=True, eq=False)
class Cutoff:
    """A cutoff of a series: `row` is the first candle that is forecast, the one before it the last known one."""

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
        """Return the symbol."""
        return self.series.symbol

    @property
    def time(self) -> int:
        """Return the time of the last known candle, nanoseconds since 1970."""
        return int(self.series.times[self.row - 1])

    @property
    def past(self) -> AsOf:
        """Return the known candles: all that a forecaster may see."""
        return AsOf(self.series.times, self.series.values, self.time, self.symbol)

    @property
    def future_times(self) -> np.ndarray:
        """Return the times to forecast (horizon,), as a trading calendar gives them beforehand."""
        return np.asarray(self.series.times[self.row : self.row + self.horizon])

    @property
    def known_at(self) -> int:
        """Return the time of the last forecast candle: from then on, calibration may use this forecast."""
        return int(self.future_times[-1])

    @property
    def actual(self) -> np.ndarray:
        """Return the actual candles, float64 (horizon, 6); only scores may use them."""
        return np.array(self.series.values[self.row : self.row + self.horizon], dtype=np.float64)


def candles(values: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """Return candles (T, 6) at `times` (T,) as a frame, without columns that have a missing value."""
    frame = pd.DataFrame(np.asarray(values, dtype=np.float64), columns=list(FEATURES))
    known: pd.DataFrame = frame[[name for name in FEATURES if np.isfinite(frame[name]).all()]]
    return known.assign(timestamp=pd.DatetimeIndex(np.asarray(times).view("M8[ns]")))


def series_of(corpus: Corpus) -> list[Series]:
    """Return the segments of a corpus as series; candles are not copied."""
    return [
        Series(s.group, s.symbol, corpus.values[s.start : s.stop], corpus.times[s.start : s.stop])
        for s in corpus.segments
    ]


def pick_cutoffs(corpus: Corpus, window: WindowConfig, n: int, seed: int) -> list[Cutoff]:
    """Return up to `n` cutoffs of the segments of a corpus as `spread` does, none where no window's price moves."""
    return spread(series_of(corpus), lookback=window.lookback, horizon=window.horizon, count=n, seed=seed)


def spread(
    series: Sequence[Series], *, lookback: int, horizon: int, count: int, seed: int, together: int | None = None
) -> list[Cutoff]:
    """Return up to `count` cutoffs whose futures do not overlap, the same ones for the same seed, ordered by time.

    Groups take turns, so that each has its share. Cutoffs of a group are on a common grid of times, and each drawn time
    takes several of its symbols, because ranks across symbols need forecasts of one time.

    `together` is the number of symbols per time; by default, as many as there will be times. 1 gives the most times:
    forecasts of one time are dependent and give less evidence.
    """
    groups = groupby(sorted(series, key=_group), key=_group)
    grids = [_by_time(list(members), lookback, horizon) for _, members in groups]
    rng = np.random.default_rng(seed)
    together = together or max(1, round(np.sqrt(count / max(1, len(grids)))))
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


def spread_by_group(
    series: Iterable[Series], *, lookback: int, horizon: int, per_group: int, seed: int = 0, together: int | None = None
) -> list[Cutoff]:
    """Return up to `per_group` cutoffs of each group of series, which come group by group; see `spread`."""
    return [
        cutoff
        for _, members in groupby(series, key=_group)
        for cutoff in spread(
            list(members), lookback=lookback, horizon=horizon, count=per_group, seed=seed, together=together
        )
    ]


def rolling(
    series: Sequence[Series], *, lookback: int, horizon: int, n_windows: int | None = None, step_size: int | None = None
) -> list[Cutoff]:
    """Return the last `n_windows` cutoffs of each series, `step_size` candles apart, ordered by time.

    Without `n_windows`, all that fit; without `step_size`, `horizon` candles apart, so that futures do not overlap.
    """
    cutoffs: list[Cutoff] = []
    for candles in series:
        rows = range(len(candles) - horizon, lookback - 1, -(step_size or horizon))
        moved = [row for row in rows if _moved(candles, row, lookback)]
        cutoffs += [Cutoff(candles, row, lookback, horizon) for row in moved[:n_windows]]
    return _ordered(cutoffs)


def _ordered(cutoffs: list[Cutoff]) -> list[Cutoff]:
    return sorted(cutoffs, key=lambda cutoff: (cutoff.time, cutoff.group, cutoff.symbol))


def _group(series: Series) -> str:
    return series.group


def _by_time(series: Sequence[Series], lookback: int, horizon: int) -> list[list[Cutoff]]:
    """Return the cutoffs at every `horizon`-th time of the group, by time."""
    grid = np.unique(np.concatenate([candles.times for candles in series]))[lookback - 1 :: horizon]
    at_time: dict[int, list[Cutoff]] = defaultdict(list)
    for candles in series:
        free = lookback
        for row in np.unique(np.searchsorted(candles.times, grid, side="right")).tolist():
            if free <= row <= len(candles) - horizon and _moved(candles, row, lookback):
                at_time[int(candles.times[row - 1])].append(Cutoff(candles, row, lookback, horizon))
                free = row + horizon
    return [at_time[time] for time in sorted(at_time)]


def _moved(series: Series, row: int, lookback: int) -> bool:
    """Return whether the close moved before `row`: if not, errors have no unit."""
    close = series.values[row - lookback : row, CLOSE]
    return bool((close != close[0]).any())


def _turns(grid: list[list[Cutoff]], together: int, rng: np.random.Generator) -> Iterator[list[Cutoff]]:
    """Yield up to `together` cutoffs of one time after another, those of the least used symbols first."""
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
    """Return 0 ... count - 1 in steps of the golden ratio, so that the first few, however many, are evenly spread."""
    steps = ((np.arange(2 * count) * 0.6180339887498949 + offset) % 1.0 * count).astype(int)
    return list(dict.fromkeys([*steps.tolist(), *range(count)]))
