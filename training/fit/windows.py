"""Training windows: which candles, normalised by what was known, and which of them are learned from.

What is drawn, how long a window's history is and whether it loses its volume follow from seed, step and window number
alone: there is no random state to lose, and a window is the same whenever it comes again.
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
from training.errors import DataError, message
from training.fit.corpus import Corpus, Segment, digest_of
from training.fit.shuffle import below, key_of, mix, share, shuffled
from training.run.config import WindowConfig

MAPPED = 32 << 20  # bytes of a mapped file that may stay in memory
RELEASE = 256  # windows between two releases of what is beyond
TURN = 0.2  # chance, at each candle of a turning window, that a coin is thrown for which way it goes on
WEEKS = 52  # that a window is moved by at most: whole ones, so that hours and weekdays stay what they were


@dataclass(frozen=True, eq=False)
class Batch:
    """Some windows.

    Attributes
    ----------
    numbers
        Which windows, int64 (B,).
    x
        Normalised candles, float32 (B, T, 6).
    stamp
        Time marks, int64 (B, T, 5).
    prefix
        Candles of each history, int64 (B,).
    scale, shift
        Float32 (B, 6). Each feature is normalised by its own mean and deviation; times `scale` and plus `shift`, a
        candle's prices can be compared with one another again, and its volume and amount with zero.
    """

    numbers: np.ndarray
    x: Tensor
    stamp: Tensor
    prefix: Tensor
    scale: Tensor
    shift: Tensor

    def __len__(self) -> int:
        """Return the windows."""
        return len(self.numbers)

    @property
    def after(self) -> Tensor:
        """Return (B, T), true at the candles after the history: the only ones the predictor's loss is taken on."""
        return torch.arange(self.x.shape[1], device=self.prefix.device) >= self.prefix[:, None]


class WindowSampler:
    """The windows of a corpus, numbered from 0, group by group.

    A group's (market's) share of what is drawn is its number of windows to the power `window.balance`, so that the
    largest does not drown the rest. Within a group windows come in a shuffled order, none twice in
    a batch or in as many batches as the group has windows for, as long as batches keep their size.

    Parameters
    ----------
    corpus
        Candles of one split.
    window
        Lengths, stride and balance, and what of the windows is left out or changed.
    seed
        Another one draws other windows, and gives each another history.
    shared_deviation
        What the tokenizer asks for, see `TokenizerConfig`.

    Raises
    ------
    DataError
        No segment is as long as a window.
    """

    def __init__(self, corpus: Corpus, window: WindowConfig, seed: int, *, shared_deviation: bool = False) -> None:
        self.corpus, self.window, self.seed, self.shared_deviation = corpus, window, seed, shared_deviation
        segments = sorted((s for s in corpus.segments if s.windows(window.size, window.stride)), key=_group)
        if not segments:
            raise DataError(
                message(
                    "No series has {size} candles without a break: choose a shorter lookback or horizon.",
                    size=window.size,
                )
            )
        self._segments: tuple[Segment, ...] = tuple(segments)
        self._starts = np.array([s.start for s in segments], dtype=np.int64)
        counts = np.array([s.windows(window.size, window.stride) for s in segments], dtype=np.int64)
        self._ends = np.cumsum(counts)
        self.groups = sorted({s.group for s in segments})
        member = np.array([self.groups.index(s.group) for s in segments])
        self._counts = np.bincount(member, weights=counts).astype(np.int64)  # windows of a group
        self._first = np.cumsum(self._counts) - self._counts
        weights = self._counts.astype(np.float64) ** window.balance
        self.shares = weights / weights.sum()
        self._bounds = np.cumsum(self.shares)[:-1]
        self._values = _windows_of(corpus.values, window.size)
        self._marks = _windows_of(corpus.marks, window.size)
        purposes = ("group", "order", "prefix", "dropout", "mirror", "turning", "turn", "coin", "move", "weeks")
        self._keys = {purpose: key_of(seed, purpose) for purpose in purposes}
        self._handed_out = 0

    @property
    def windows(self) -> int:
        """Return how many windows there are."""
        return int(self._ends[-1])

    @property
    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that decides what a window number holds."""
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
        # A round is a whole number of batches where the group has that many windows: none then comes twice in a batch.
        lap = np.where(count >= size, count // size * size, count)
        order = mix(mix(self._keys["order"], group), turn // lap)
        return np.asarray(self._first[group] + shuffled(order, turn % lap, count))

    def first_n(self, n: int) -> np.ndarray:
        """Return the numbers of at most `n` windows, spread evenly over all of them; the same ones every time."""
        size = min(n, self.windows)
        return (2 * np.arange(size, dtype=np.int64) + 1) * self.windows // (2 * size)

    def batch(self, numbers: np.ndarray) -> Batch:
        """Return the windows of `numbers` (B,)."""
        rows = self.rows(numbers)
        values = self._values[rows * len(FEATURES)].reshape(len(rows), self.window.size, -1)
        values[self.loses_volume(numbers), :, VOLUME:] = 0.0
        signs = self.signs(numbers)
        other = (signs < 0).any(axis=1)
        if other.any():
            values[other] = turned(values[other], signs[other])
        prefix = self.prefix(numbers)
        marks = self._marks[rows * self.corpus.marks.shape[1]].reshape(len(rows), self.window.size, -1)
        weeks = self.weeks_moved(numbers)
        moved = weeks > 0
        if moved.any():
            marks[moved] = self._marks_after(rows[moved], weeks[moved])
        self._release(len(rows))
        x, normaliser = normalise_by_prefix(values, prefix, shared_deviation=self.shared_deviation)
        arrays = x, marks.astype(np.int64), prefix, *comparable(normaliser)
        return Batch(numbers, *(torch.from_numpy(array) for array in arrays))

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the corpus rows, int64 (B,), at which the windows of `numbers` (B,) begin."""
        segment = np.searchsorted(self._ends, numbers, side="right")
        before = np.where(segment > 0, self._ends[segment - 1], 0)
        return np.asarray(self._starts[segment] + (numbers - before) * self.window.stride)

    def prefix(self, numbers: np.ndarray) -> np.ndarray:
        """Return the candles of history, int64 (B,), of the windows of `numbers` (B,)."""
        w = self.window
        return w.shortest + below(self._keys["prefix"], numbers, w.lookback - w.shortest + 1)

    def loses_volume(self, numbers: np.ndarray) -> np.ndarray:
        """Return which, bool (B,), of the windows of `numbers` (B,) are learned from without volume and amount."""
        return share(self._keys["dropout"], numbers) < self.window.volume_dropout

    def is_mirrored(self, numbers: np.ndarray) -> np.ndarray:
        """Return which, bool (B,), of the windows of `numbers` (B,) are learned from upside down."""
        return share(self._keys["mirror"], numbers) < self.window.mirrored

    def signs(self, numbers: np.ndarray) -> np.ndarray:
        """Return which way each candle of the windows of `numbers` (B,) moves, int64 (B, T): 1 as it did, -1 turned."""
        signs = np.ones((len(numbers), self.window.size), dtype=np.int64)
        turning = share(self._keys["turning"], numbers) < self.window.turning
        if turning.any():
            signs[turning] = self._coins(numbers[turning])
        signs[self.is_mirrored(numbers)] *= -1
        return signs

    def weeks_moved(self, numbers: np.ndarray) -> np.ndarray:
        """Return by how many weeks, int64 (B,), the dates of the windows of `numbers` (B,) are moved on."""
        moved = share(self._keys["move"], numbers) < self.window.moved
        return np.where(moved, 1 + below(self._keys["weeks"], numbers, WEEKS), 0)

    def describe(self, number: int) -> str:
        """Return what a reader can find a window by: its symbol and its first time."""
        segment = self._segments[int(np.searchsorted(self._ends, number, side="right"))]
        row = int(self.rows(np.array([number]))[0])
        return f"{segment.symbol} from {pd.Timestamp(int(self.corpus.times[row]))}"

    def _coins(self, numbers: np.ndarray) -> np.ndarray:
        """Return the coins, 1 or -1, by which each candle of turning windows goes, int64 (B, T); 1 before the first."""
        at = np.arange(self.window.size)
        chance, coin = (mix(self._keys[purpose], numbers)[:, None] for purpose in ("turn", "coin"))
        thrown = np.where(share(chance, at[None]) < TURN, at, -1)
        last = np.maximum.accumulate(thrown, axis=1)  # where the coin that counts was thrown
        return np.where(last < 0, 1, 2 * below(coin, np.maximum(last, 0), 2) - 1)

    def _marks_after(self, rows: np.ndarray, weeks: np.ndarray) -> np.ndarray:
        """Return the marks (B, T, 5) of the windows that begin at `rows` (B,), `weeks` (B,) later than they were."""
        times = self.corpus.times[rows[:, None] + np.arange(self.window.size)].astype("datetime64[ns]")
        times = times + (7 * weeks).astype("timedelta64[D]")[:, None]
        return time_marks(pd.DatetimeIndex(times.ravel())).reshape(*times.shape, self.corpus.marks.shape[1])

    def _release(self, windows: int) -> None:
        """Give back what was read of large mapped files: a process would grow to their size, page by page."""
        self._handed_out += windows
        if self._handed_out < RELEASE:
            return
        self._handed_out = 0
        for array in (self.corpus.values, self.corpus.marks, self.corpus.times):
            mapped = getattr(array, "_mmap", None)
            if mapped is not None and array.nbytes > MAPPED and hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)


def turned(values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return raw candles (B, T, 6) that move from the close before as they did, or the other way where `signs` is -1.

    In log prices, so that a rise by a tenth undoes one; a candle that is turned has its high for its low. Where prices
    went in the candles that are learned from says next to nothing about where they will go, and a model that sees each
    way as often as the other has no drift to learn by heart. How far they went stays.

    Parameters
    ----------
    signs
        1 or -1 for each candle, (B, T); the first candle is turned about its own close.
    """
    close = values[..., CLOSE]
    logs = np.log(close, dtype=np.float64)
    steps = signs * np.diff(logs, axis=1, prepend=logs[:, :1])
    after = np.exp(logs[:, :1] + steps.cumsum(axis=1))  # (B, T)
    before, start = (np.concatenate([c[:, :1], c[:, :-1]], axis=1)[..., None] for c in (close, after))
    kept = values[..., : len(PRICES)] * (start / before)
    other = start * before / values[..., [OPEN, LOW, HIGH, CLOSE]]
    found = values.copy()
    found[..., : len(PRICES)] = np.where(signs[..., None] < 0, other, kept)
    return found


def normalise_by_prefix(
    values: np.ndarray, prefix: np.ndarray, *, shared_deviation: bool = False
) -> tuple[np.ndarray, Normaliser]:
    """Return float32 windows normalised by the statistics of their first `prefix` candles only, and by what (B, 6).

    Statistics over the whole window would tell the model where the window is going to end, and teach it to expect every
    series to come back to its mean.

    Parameters
    ----------
    values
        Raw candles (B, T, 6).
    prefix
        Number of history candles of each window (B,).
    shared_deviation
        One for all prices, see `TokenizerConfig`.
    """
    windows, length, features = values.shape
    # One row a time, all windows side by side: sums run over long rows, in the order of time as in a single window.
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
    """Return `Batch.scale` and `Batch.shift` of windows, float32 (B, 6), whose `normaliser` has arrays of that shape.

    Prices are then in units of the largest of their four deviations, from the mean of the close on; volume and amount
    in units of their own, from zero on.
    """
    deviation = normaliser.std + EPSILON
    unit, origin = deviation.copy(), np.zeros_like(normaliser.mean)
    unit[:, : len(PRICES)] = deviation[:, : len(PRICES)].max(axis=1, keepdims=True)
    origin[:, : len(PRICES)] = normaliser.mean[:, CLOSE, None]
    scale, shift = deviation / unit, (normaliser.mean - origin) / unit
    return scale.astype(np.float32), shift.astype(np.float32)


def _windows_of(array: np.ndarray, size: int) -> np.ndarray:
    """Return a view of `array` (N, F) whose row i x F holds `size` rows of it from row i on, end to end."""
    return sliding_window_view(np.asarray(array).reshape(-1), size * array.shape[1])


def _group(segment: Segment) -> str:
    return segment.group
