"""The generation loop: continues tokenised histories, one candle a step.

Shapes: S series, R = S x samples rows (series-major), T history tokens, P of them in the window, N horizon,
D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kv_cache import KVCache, rows_of
from engine.runner import PackedKronos, PackedTokenizer
from engine.sampling import Sampling, draw_tokens

TOKENS_AT_ONCE = 1024  # of many rows, computed together: bounds the memory of activations, costs no time

OnStep = Callable[[int, int], None]
Tokens = tuple[Tensor, Tensor]  # coarse and fine ids


class Generation:
    """Rows drawn together, one candle at each `advance`.

    While the window grows, a step computes only the new candle. Once it is full, its oldest `stride` candles leave,
    positions restart at zero and every state is recomputed, because the old states had attended to the removed candles;
    the samples of a series still share its history. A stride of 1 is what the published loop does at every step.

    Parameters
    ----------
    tokens
        Coarse and fine ids (T,) of each series; of unequal lengths only if no window slides.
    stamps
        Time marks (T + N, 5) of each series' history and horizon.
    generators
        One for each series, or a single one for all rows; None is PyTorch's global generator. A step draws all coarse
        tokens, then all fine tokens.
    """

    def __init__(
        self,
        network: PackedKronos,
        tokens: Sequence[Tokens],
        stamps: Sequence[Tensor],
        *,
        samples: int,
        max_context: int,
        sampling: Sampling,
        generators: Sequence[torch.Generator | None] = (None,),
        stride: int = 1,
    ) -> None:
        self.network, self.samples, self.sampling, self.stride = network, samples, sampling, stride
        self.max_context, self.generators = max_context, list(generators)
        totals = [len(s1) for s1, _ in tokens]
        self.lengths = [min(total, max_context) for total in totals]
        self.horizon = max(len(stamp) - total for stamp, total in zip(stamps, totals, strict=True))
        assert len(set(self.lengths)) == 1 or max(self.lengths) + self.horizon - 1 <= max_context, "ragged rows slide"
        self.s1, self.s2 = (_stack([pair[i][-max_context:] for pair in tokens]) for i in range(2))  # (S, P)
        windows = zip(stamps, totals, self.lengths, strict=True)
        self.stamp = _stack([stamp[total - length : total] for stamp, total, length in windows])  # (S, P, 5)
        future = _stack([stamp[total:] for stamp, total in zip(stamps, totals, strict=True)])  # (S, N, 5)
        self.future_times = network.times(future)  # (S, N, D)
        self.drawn = tuple(self.s1.new_empty(len(tokens) * samples, self.horizon) for _ in range(2))  # (R, N)
        self.done = self.start = 0
        self.cache: KVCache | None = None

    def advance(self) -> None:
        """Draw the next candle of every row."""
        context = self._context()
        step = slice(self.done, self.done + 1)
        coarse = draw_tokens(self.network.head_s1(context), self.sampling, self.generators)
        self.drawn[0][:, step] = coarse
        assert self.cache is not None
        fine = self.network.fine_logits(context, coarse[:, 0], self.cache)
        self.drawn[1][:, step] = draw_tokens(fine, self.sampling, self.generators)
        self.done += 1

    def select(self, series: Sequence[int]) -> None:
        """Continue with the chosen series only, and free the memory of the others."""
        index = torch.tensor(series, device=self.s1.device)
        rows = rows_of(index, self.samples)
        self.s1, self.s2, self.stamp, self.future_times = (
            x[index] for x in (self.s1, self.s2, self.stamp, self.future_times)
        )
        self.drawn = tuple(ids[rows] for ids in self.drawn)
        self.lengths = [self.lengths[i] for i in series]
        if len(self.generators) > 1:
            self.generators = [self.generators[i] for i in series]
        if self.cache is not None:
            self.cache = self.cache.select(index)

    def tokens(self, series: int) -> tuple[Tokens, Tokens]:
        """Return coarse and fine ids of one series' history window (1, P) and of its paths (samples, N)."""
        rows = slice(series * self.samples, (series + 1) * self.samples)
        window = slice(0, self.lengths[series])
        history = self.s1[series : series + 1, window], self.s2[series : series + 1, window]
        return history, (self.drawn[0][rows, : self.done], self.drawn[1][rows, : self.done])

    def _context(self) -> Tensor:
        """Return the last context (R, D) of every row, after all drawn candles."""
        if self.cache is None:
            self.cache = self.network.allocate(self.lengths, self.samples, max(0, self.horizon - 1))
            return self._prefill(self.cache).repeat_interleave(self.samples, dim=0)  # (S, D) -> (R, D)
        if self.lengths[0] - self.start + self.done <= self.max_context:
            return self._extend(self.cache, slice(self.done - 1, self.done), slice(None), slice(None))
        self.start = min(self.start + self.stride, self.lengths[0] - 1)
        self.cache = self.cache.restart(self.lengths[0] - self.start)
        self._prefill(self.cache)
        parts = [
            self._extend(self.cache.part(series, rows), slice(0, self.done), series, rows)
            for series, rows in split_blocks(len(self.lengths), self.samples, self.done)
        ]
        self.cache.steps = self.done
        return torch.cat(parts)

    def _prefill(self, cache: KVCache) -> Tensor:
        """Put the histories, beginning at `start`, into the cache; return their last contexts (S, D)."""
        contexts = []
        for series in split_runs(self.lengths):
            window = slice(self.start, self.lengths[series.start])
            times = self.network.times(self.stamp[series, window])
            part = cache.part(series, slice(series.start * self.samples, series.stop * self.samples))
            contexts.append(self.network.prefill(self.s1[series, window], self.s2[series, window], times, part))
        return torch.cat(contexts)

    def _extend(self, cache: KVCache, steps: slice, series: slice, rows: slice) -> Tensor:
        """Put drawn candles of some rows into the cache; return their last contexts (rows, D)."""
        s1, s2 = (ids[rows, steps] for ids in self.drawn)
        times = self.future_times[series, steps].repeat_interleave(len(s1) // len(cache.lengths), dim=0)
        return self.network.extend(s1, s2, times, cache)


def split_runs(lengths: Sequence[int]) -> Iterator[slice]:
    """Yield slices of neighbouring series of equal length, each with few enough tokens to be computed together."""
    start = 0
    for stop in range(1, len(lengths) + 1):
        full = (stop - start + 1) * lengths[start] > TOKENS_AT_ONCE
        if stop == len(lengths) or lengths[stop] != lengths[start] or full:
            yield slice(start, stop)
            start = stop


def split_blocks(series: int, samples: int, tokens: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of series and of their rows, with few enough tokens (`tokens` a row) to be computed together."""
    rows_at_once = max(1, TOKENS_AT_ONCE // tokens)
    series_at_once = max(1, rows_at_once // samples)
    for first in range(0, series, series_at_once):
        last = min(first + series_at_once, series)
        for start in range(first * samples, last * samples, rows_at_once):
            yield slice(first, last), slice(start, min(start + rows_at_once, last * samples))


def decode_paths(tokenizer: PackedTokenizer, history: Tokens, paths: Tokens, *, max_context: int) -> Tensor:
    """Return normalised candles (samples, N, 6) of one series' paths, decoded with the last `max_context` tokens.

    The decoder is causal: the history is decoded once for all samples.

    Parameters
    ----------
    history, paths
        Coarse and fine ids, (1, P) and (samples, N).
    """
    samples, horizon = paths[0].shape
    start = max(0, history[0].shape[1] + horizon - max_context)
    s1, s2 = (ids[:, start:] for ids in history)
    at_once = min(samples, max(1, TOKENS_AT_ONCE // horizon))
    cache = tokenizer.allocate([s1.shape[1]], at_once, horizon)
    if start < history[0].shape[1]:
        tokenizer.prefill(s1, s2, cache)
    parts = zip(*(torch.split(ids, at_once) for ids in paths), strict=True)
    return torch.cat([tokenizer.decode(s1, s2, cache.part(slice(0, 1), slice(0, len(s1)))) for s1, s2 in parts])


def _stack(rows: Sequence[Tensor]) -> Tensor:
    """Return rows of unequal lengths stacked along their first axis, padded with zeros at the end."""
    longest = max(len(row) for row in rows)
    return torch.stack([F.pad(row, (*(0, 0) * (row.dim() - 1), 0, longest - len(row))) for row in rows])
