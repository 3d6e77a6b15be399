"""Continue tokenised histories, one candle a step.

Shapes: S series, R = S x samples rows (series-major), T history tokens, P of them in the window, N horizon,
D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.kv_cache import KVCache
from engine.runner import PackedKronos, PackedTokenizer
from engine.sampling import Sampling, draw

TOKENS_AT_ONCE = 1024  # of many rows, computed together: bounds the memory of activations, costs no time

OnStep = Callable[[int, int], None]
Tokens = tuple[Tensor, Tensor]


class Generation:
    """Rows drawn together, a candle at each `advance`.

    While the window grows, a step computes the new candle alone. Once it is full, its oldest `stride` candles leave,
    positions restart at zero and every state is computed anew, because the old ones had attended to what left; the
    samples of a series go on sharing its history. A stride of 1 is what the published loop does at every step.

    Parameters
    ----------
    tokens
        Coarse and fine ids (T,) of each series; of unequal lengths only where no window slides.
    stamps
        Time marks (T + N, 5) of each series' history and horizon.
    generators
        One for each series, or a single one for all rows; None is PyTorch's global one. A step draws all coarse
        tokens, then all fine ones.
    """

    def __init__(
        self,
        network: PackedKronos,
        tokens: Sequence[Tokens],
        stamps: Sequence[Tensor],
        *,
        samples: int,
        max_context: int,
        how: Sampling,
        generators: Sequence[torch.Generator | None] = (None,),
        stride: int = 1,
    ) -> None:
        self.network, self.samples, self.how, self.stride = network, samples, how, stride
        self.max_context, self.generators = max_context, list(generators)
        self.lengths = [min(len(s1), max_context) for s1, _ in tokens]
        self.horizon = max(len(stamp) - len(s1) for stamp, (s1, _) in zip(stamps, tokens, strict=True))
        assert len(set(self.lengths)) == 1 or max(self.lengths) + self.horizon - 1 <= max_context, "ragged rows slide"
        self.s1, self.s2 = (_stack([pair[i][-max_context:] for pair in tokens]) for i in range(2))  # (S, P)
        starts = [len(pair[0]) - length for pair, length in zip(tokens, self.lengths, strict=True)]
        self.stamp = _stack([stamp[i : i + n] for stamp, i, n in zip(stamps, starts, self.lengths, strict=True)])
        ahead = _stack([stamp[len(pair[0]) :] for stamp, pair in zip(stamps, tokens, strict=True)])
        self.when = network.times(ahead)  # (S, N, D)
        self.drawn = tuple(self.s1.new_empty(len(tokens) * samples, self.horizon) for _ in range(2))  # (R, N)
        self.done = self.start = 0
        self.cache: KVCache | None = None

    def advance(self) -> None:
        """Draw the next candle of every row."""
        context = self._context()
        now = slice(self.done, self.done + 1)
        coarse = draw(self.network.head_s1(context), self.how, self.generators)
        self.drawn[0][:, now] = coarse
        assert self.cache is not None
        fine = self.network.fine_logits(context, coarse[:, 0], self.cache)
        self.drawn[1][:, now] = draw(fine, self.how, self.generators)
        self.done += 1

    def keep(self, series: Sequence[int]) -> None:
        """Go on with the chosen series alone and free what the others held."""
        index = torch.tensor(series, device=self.s1.device)
        rows = (index[:, None] * self.samples + torch.arange(self.samples, device=index.device)).flatten()
        self.s1, self.s2, self.stamp, self.when = (x[index] for x in (self.s1, self.s2, self.stamp, self.when))
        self.drawn = tuple(ids[rows] for ids in self.drawn)
        self.lengths = [self.lengths[i] for i in series]
        if len(self.generators) > 1:
            self.generators = [self.generators[i] for i in series]
        if self.cache is not None:
            self.cache = self.cache.keep(index)

    def tokens(self, series: int) -> tuple[Tokens, Tokens]:
        """Return coarse and fine ids of one series' history window (1, P) and of its paths (samples, N)."""
        rows = slice(series * self.samples, (series + 1) * self.samples)
        seen = slice(0, self.lengths[series])
        history = self.s1[series : series + 1, seen], self.s2[series : series + 1, seen]
        return history, (self.drawn[0][rows, : self.done], self.drawn[1][rows, : self.done])

    def _context(self) -> Tensor:
        """Return the last context (R, D) of every row, all that was drawn included."""
        if self.cache is None:
            self.cache = self.network.allocate(self.lengths, self.samples, max(0, self.horizon - 1))
            return self._prefill().repeat_interleave(self.samples, dim=0)
        if self.lengths[0] - self.start + self.done <= self.max_context:
            return self._extend(self.cache, slice(self.done - 1, self.done), slice(None), slice(None))
        self.start = min(self.start + self.stride, self.lengths[0] - 1)
        self.cache = self.cache.restart(self.lengths[0] - self.start)
        self._prefill()
        parts = [
            self._extend(self.cache.part(series, rows), slice(0, self.done), series, rows)
            for series, rows in blocks(len(self.lengths), self.samples, self.done)
        ]
        self.cache.steps = self.done
        return torch.cat(parts)

    def _prefill(self) -> Tensor:
        """Put the histories, from `start` on, into the cache; return their last contexts (S, D)."""
        assert self.cache is not None
        contexts = []
        for series in runs(self.lengths):
            window = slice(self.start, self.lengths[series.start])
            when = self.network.times(self.stamp[series, window])
            part = self.cache.part(series, slice(series.start * self.samples, series.stop * self.samples))
            contexts.append(self.network.prefill(self.s1[series, window], self.s2[series, window], when, part))
        return torch.cat(contexts)

    def _extend(self, cache: KVCache, steps: slice, series: slice, rows: slice) -> Tensor:
        s1, s2 = (ids[rows, steps] for ids in self.drawn)
        when = self.when[series, steps].repeat_interleave(len(s1) // len(cache.lengths), dim=0)
        return self.network.extend(s1, s2, when, cache)


def runs(lengths: Sequence[int]) -> Iterator[slice]:
    """Yield slices of neighbouring series of one length, each of few enough tokens to be computed together."""
    start = 0
    for stop in range(1, len(lengths) + 1):
        full = (stop - start + 1) * lengths[start] > TOKENS_AT_ONCE
        if stop == len(lengths) or lengths[stop] != lengths[start] or full:
            yield slice(start, stop)
            start = stop


def blocks(series: int, samples: int, tokens: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of series and of their rows, each of few enough tokens, `tokens` a row, to be computed together."""
    at_once = max(1, TOKENS_AT_ONCE // tokens)
    if at_once < samples:
        for one in range(series):
            for start in range(one * samples, (one + 1) * samples, at_once):
                yield slice(one, one + 1), slice(start, min(start + at_once, (one + 1) * samples))
        return
    for start in range(0, series, at_once // samples):
        stop = min(start + at_once // samples, series)
        yield slice(start, stop), slice(start * samples, stop * samples)


def decode_paths(tokenizer: PackedTokenizer, history: Tokens, paths: Tokens, *, max_context: int) -> Tensor:
    """Return normalised candles (samples, N, 6) of one series' paths, decoded with the last `max_context` tokens.

    The decoder is causal: the history is decoded once for all samples, and nothing but the paths comes out.

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
    """Stack rows of unequal lengths along their first axis, padded with zeros at the end."""
    longest = max(len(row) for row in rows)
    return torch.stack([F.pad(row, (*(0, 0) * (row.dim() - 1), 0, longest - len(row))) for row in rows])
