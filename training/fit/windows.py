"""Training windows: which candles, normalized by their history, and which of them are learned.

The windows of a step, the history of a window and its augmentations depend only on seed, step and window number: there
is no random state, and a window is the same each time.
"""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from engine.candles import CLOSE, EPSILON, FEATURES, HIGH, LOW, OPEN, PRICES, VOLUME, Normaliser, time_marks
from training.errors import DataError
from training.fit.corpus import Corpus, digest_of
from training.fit.shuffle import below, key_of, mix, share, shuffled
from training.run.config import WindowConfig

MAPPED = 32 << 20  # bytes of a mapped file that may stay in memory
RELEASE = 256  # windows between two releases of the rest
TURN = 0.2  # probability, at each candle of a turning window, that its direction is drawn again
WEEKS = 52  # most weeks by which a window is moved: hours and weekdays stay the same
PURPOSES = ("group", "order", "prefix", "dropout", "mirror", "turning", "turn", "coin", "move", "weeks")


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of windows.

    Each feature is normalized by its own mean and deviation. Times `scale` and plus `shift`, a candle's prices can be
    compared with one another again, and its volume and amount with zero.
    """

    numbers: np.ndarray  # of the windows, int64 (B,)
    x: Tensor  # normalized candles, float32 (B, T, 6)
    stamp: Tensor  # time marks, int64 (B, T, 5)
    prefix: Tensor  # candles of each history, int64 (B,)
    scale: Tensor  # float32 (B, 6)
    shift: Tensor  # float32 (B, 6)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def after(self) -> Tensor:
        """Return (B, T), true at the candles after the history, the only ones in the predictor's loss."""
        return torch.arange(self.x.shape[1], device=self.prefix.device) >= self.prefix[:, None]


class WindowSampler:
    """The windows of a corpus, numbered from 0, group by group.

    A group is sampled in proportion to its number of windows to the power `window.balance`, so that the largest does
    not dominate. Within a group the order is shuffled: no window comes twice in a batch, or in as many batches of one
    size as the group has windows for.

    Parameters
    ----------
    corpus
        Candles of one split.
    seed
        Of the order, the histories and the augmentations.
    shared_deviation
        As in `TokenizerConfig`.

    Raises DataError if no segment is as long as a window.
    """

    def __init__(self, corpus: Corpus, window: WindowConfig, seed: int, *, shared_deviation: bool = False) -> None:
        self.corpus, self.window, self.seed, self.shared_deviation = corpus, window, seed, shared_deviation
        long_enough = (s for s in corpus.segments if s.windows(window.size, window.stride))
        self._segments = tuple(sorted(long_enough, key=lambda segment: segment.group))
        if not self._segments:
            raise DataError(
                "No series has {size} candles without a break: choose a shorter lookback or horizon.", size=window.size
            )
        self._starts = np.array([s.start for s in self._segments], dtype=np.int64)
        counts = np.array([s.windows(window.size, window.stride) for s in self._segments], dtype=np.int64)
        self._ends = np.cumsum(counts)
        self.groups = sorted({s.group for s in self._segments})
        member = np.array([self.groups.index(s.group) for s in self._segments])
        self._counts = np.bincount(member, weights=counts).astype(np.int64)  # windows of a group
        self._first = np.cumsum(self._counts) - self._counts
        weights = self._counts.astype(np.float64) ** window.balance
        self.shares = weights / weights.sum()
        self._bounds = np.cumsum(self.shares)[:-1]
        self._values = _windows_of(corpus.values, window.size)
        self._marks = _windows_of(corpus.marks, window.size)
        self._keys = {purpose: key_of(seed, purpose) for purpose in PURPOSES}
        self._since_release = 0

    @property
    def windows(self) -> int:
        """Return the number of windows."""
        return int(self._ends[-1])

    @property
    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that determines the contents of a window number."""
        c = self.corpus
        candles = c.digest or digest_of((c.values, c.marks, c.times), c.segments)
        w = self.window
        settings = (
            *(w.lookback, w.horizon, w.shortest, w.stride, w.volume_dropout, w.mirrored, w.turning, w.moved),
            *(self.seed, self.shared_deviation),
        )
        sha = hashlib.sha256(f"{candles} {settings}".encode())
        sha.update(self._starts.tobytes() + self._ends.tobytes())
        return sha.hexdigest()

    def draw(self, step: int, size: int) -> np.ndarray:
        """Return the numbers, int64 (size,), of the windows of `step`, for all processes together."""
        turn = step * size + np.arange(size)
        group = np.searchsorted(self._bounds, share(self._keys["group"], turn), side="right")
        count = self._counts[group]
        # A lap is a whole number of batches if the group has that many windows: none then comes twice in a batch.
        lap = np.where(count >= size, count // size * size, count)
        order = mix(mix(self._keys["order"], group), turn // lap)
        return np.asarray(self._first[group] + shuffled(order, turn % lap, count))

    def first_n(self, n: int) -> np.ndarray:
        """Return the numbers of at most `n` windows, spread evenly over all; always the same ones."""
        size = min(n, self.windows)
        return (2 * np.arange(size, dtype=np.int64) + 1) * self.windows // (2 * size)

    def batch(self, numbers: np.ndarray) -> Batch:
        """Return the windows of `numbers` (B,)."""
        rows = self.rows(numbers)
        values = self._values[rows * len(FEATURES)].reshape(len(rows), self.window.size, -1)
        values[self.loses_volume(numbers), :, VOLUME:] = 0.0
        signs = self.signs(numbers)
        changed = (signs < 0).any(axis=1)
        if changed.any():
            values[changed] = turned(values[changed], signs[changed])
        prefix = self.prefix(numbers)
        marks = self._marks[rows * self.corpus.marks.shape[1]].reshape(len(rows), self.window.size, -1)
        weeks = self.weeks_moved(numbers)
        moved = weeks > 0
        if moved.any():
            marks[moved] = self._moved_marks(rows[moved], weeks[moved])
        self._release(len(rows))
        x, normaliser = normalise_by_prefix(values, prefix, shared_deviation=self.shared_deviation)
        arrays = x, marks.astype(np.int64), prefix, *comparable(normaliser)
        return Batch(numbers, *(torch.from_numpy(array) for array in arrays))

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the first corpus rows, int64 (B,), of the windows of `numbers` (B,)."""
        segment = np.searchsorted(self._ends, numbers, side="right")
        before = np.where(segment > 0, self._ends[segment - 1], 0)
        return np.asarray(self._starts[segment] + (numbers - before) * self.window.stride)

    def prefix(self, numbers: np.ndarray) -> np.ndarray:
        """Return the candles of history, int64 (B,)."""
        w = self.window
        return w.shortest + below(self._keys["prefix"], numbers, w.lookback - w.shortest + 1)

    def loses_volume(self, numbers: np.ndarray) -> np.ndarray:
        """Return which windows, bool (B,), lose volume and amount."""
        return share(self._keys["dropout"], numbers) < self.window.volume_dropout

    def is_mirrored(self, numbers: np.ndarray) -> np.ndarray:
        """Return which windows, bool (B,), are mirrored."""
        return share(self._keys["mirror"], numbers) < self.window.mirrored

    def signs(self, numbers: np.ndarray) -> np.ndarray:
        """Return the direction of each candle's move, int64 (B, T): 1 is the actual one, -1 its opposite."""
        signs = np.ones((len(numbers), self.window.size), dtype=np.int64)
        turning = share(self._keys["turning"], numbers) < self.window.turning
        if turning.any():
            signs[turning] = self._random_signs(numbers[turning])
        signs[self.is_mirrored(numbers)] *= -1
        return signs

    def weeks_moved(self, numbers: np.ndarray) -> np.ndarray:
        """Return by how many weeks, int64 (B,), the dates of windows are moved on."""
        moved = share(self._keys["move"], numbers) < self.window.moved
        return np.where(moved, 1 + below(self._keys["weeks"], numbers, WEEKS), 0)

    def describe(self, number: int) -> str:
        """Return the symbol and the first time of a window."""
        segment = self._segments[int(np.searchsorted(self._ends, number, side="right"))]
        row = int(self.rows(np.array([number]))[0])
        return f"{segment.symbol} from {pd.Timestamp(int(self.corpus.times[row]))}"

    def _random_signs(self, numbers: np.ndarray) -> np.ndarray:
        """Return 1 or -1 for each candle of turning windows, int64 (B, T), drawn again at random candles."""
        at = np.arange(self.window.size)
        chance, coin = (mix(self._keys[purpose], numbers)[:, None] for purpose in ("turn", "coin"))
        drawn = np.where(share(chance, at[None]) < TURN, at, -1)
        last = np.maximum.accumulate(drawn, axis=1)  # candle of the last draw, -1 before the first
        return np.where(last < 0, 1, 2 * below(coin, np.maximum(last, 0), 2) - 1)

    def _moved_marks(self, rows: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """Return the time marks (B, T, 5) of the windows at `rows` (B,), `weeks` (B,) later."""
        times = self.corpus.times[rows[:, None] + np.arange(self.window.size)].astype("datetime64[ns]")
        times = times + (7 * weeks).astype("timedelta64[D]")[:, None]
        return time_marks(pd.DatetimeIndex(times.ravel())).reshape(*times.shape, self.corpus.marks.shape[1])

    def _release(self, windows: int) -> None:
        """Release the pages of large mapped files from time to time, or the process would grow to their size."""
        self._since_release += windows
        if self._since_release < RELEASE:
            return
        self._since_release = 0
        for array in (self.corpus.values, self.corpus.marks, self.corpus.times):
            mapped = getattr(array, "_mmap", None)
            if mapped is not None and array.nbytes > MAPPED and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)


def turned(values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return raw candles (B, T, 6) whose moves in log price are reversed where `signs` (B, T) is -1.

    A reversed candle has its high for its low, and the first one is reversed about its own close. Past direction says
    almost nothing about future direction, and a model that sees both equally often learns no drift. Volatility stays.
    """
    close = values[..., CLOSE]
    logs = np.log(close, dtype=np.float64)
    steps = signs * np.diff(logs, axis=1, prepend=logs[:, :1])
    after = np.exp(logs[:, :1] + steps.cumsum(axis=1))  # (B, T)
    before, start = (np.concatenate([c[:, :1], c[:, :-1]], axis=1)[..., None] for c in (close, after))
    same = values[..., : len(PRICES)] * (start / before)
    reverse = start * before / values[..., [OPEN, LOW, HIGH, CLOSE]]
    result = values.copy()
    result[..., : len(PRICES)] = np.where(signs[..., None] < 0, reverse, same)
    return result


def normalise_by_prefix(
    values: np.ndarray, prefix: np.ndarray, *, shared_deviation: bool = False
) -> tuple[np.ndarray, Normaliser]:
    """Return raw windows (B, T, 6) normalized by their first `prefix` (B,) candles, float32, and the normaliser (B, 6).

    Statistics of the whole window would leak its end, and teach the model that every series returns to its mean.
    """
    windows, length, features = values.shape
    # One row per time, all windows side by side: sums run over long rows, in the order of time as in a single window.
    candles = values.transpose(1, 0, 2).astype(np.float64, order="C").reshape(length, -1)  # (B, T, 6) -> (T, B x 6)
    count = np.repeat(prefix, features)
    history = np.arange(length)[:, None] < count
    mean = np.where(history, candles, 0.0).sum(axis=0) / count
    deviations = np.where(history, candles - mean, 0.0)
    std = np.sqrt((deviations * deviations).sum(axis=0) / count)
    mean, std = mean.reshape(windows, features), std.reshape(windows, features)
    normaliser = Normaliser.of(mean, std, shared_deviation=shared_deviation)
    x = normaliser.apply(candles.reshape(length, windows, features))
    return np.ascontiguousarray(x.transpose(1, 0, 2)), normaliser


def comparable(normaliser: Normaliser) -> tuple[np.ndarray, np.ndarray]:
    """Return `Batch.scale` and `Batch.shift`, float32 (B, 6).

    Prices are in units of the largest of their four deviations, relative to the mean close; volume and amount in units
    of their own deviation, relative to zero.
    """
    deviation = normaliser.std + EPSILON
    unit, origin = deviation.copy(), np.zeros_like(normaliser.mean)
    unit[:, : len(PRICES)] = deviation[:, : len(PRICES)].max(axis=1, keepdims=True)
    origin[:, : len(PRICES)] = normaliser.mean[:, CLOSE, None]
    scale, shift = deviation / unit, (normaliser.mean - origin) / unit
    return scale.astype(np.float32), shift.astype(np.float32)


def _windows_of(array: np.ndarray, size: int) -> np.ndarray:
    """Return a view of `array` (N, F) whose row i x F holds its rows i ... i + `size` - 1, end to end."""
    return sliding_window_view(np.asarray(array).reshape(-1), size * array.shape[1])
