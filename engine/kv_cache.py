"""Keys and values of one generation call; never an attribute of a model, since sessions share models, not caches.

The history of a series is prefilled once and shared by all of its samples; each sample owns only the keys and values
of its own drawn candles. Queries are already divided by the square root of the head width.

Shapes: S series, R = S x samples rows (series-major), P history positions, M new positions, D model width, H heads,
E = D / H head width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

FEW_SAMPLES = 8  # measured: up to 8, one product with masked scores is faster than one product for each row


@dataclass
class KVCache:
    """Keys and values of every attention layer. Heads come before positions: each head reads contiguous memory.

    Attributes
    ----------
    heads
        Number of heads of each layer.
    shared
        (layers, 2, S, room, D) for the histories: a layer's (room, D) holds (H, room, E).
    drawn
        (layers, 2, R, capacity, D) for the drawn candles, in the same layout. None if a series has few samples: these
        continue its history in `shared`, one position of each sample in turn, so that one product attends to all.
    lengths
        Number of positions of each history.
    samples
        Number of rows that share one history.
    steps
        Number of positions drawn so far.
    longest
        Number of positions of the histories in `shared`, including the padding of shorter ones.
    rows
        Samples of each series in this part of a cache.
    """

    heads: tuple[int, ...]
    shared: Tensor
    drawn: Tensor | None
    lengths: tuple[int, ...]
    samples: int
    longest: int
    steps: int = 0
    rows: slice = field(default_factory=lambda: slice(None))

    def __post_init__(self) -> None:
        # Views and masks that every step needs.
        self._padding = _padding(self.lengths, self.longest, self.shared)
        self._whole = self._by_head(self.shared)
        self._shared = [cached[:, :, :, : self.longest] for cached in self._whole]
        if self.drawn is None:
            self._visible = _visible(self.longest, self.shared.shape[3], self.samples, self._padding, self.shared)
            self._drawn = [cached[:, :, :, self.longest :] for cached in self._whole]
        else:
            self._drawn = self._by_head(self.drawn)
        self._interleaved = self.drawn is None and self.samples > 1
        if self._interleaved:
            self._drawn = [_split_interleaved(cached, self.samples)[..., self.rows, :] for cached in self._drawn]

    @classmethod
    def allocate(
        cls, heads: Sequence[int], lengths: Sequence[int], samples: int, capacity: int, like: Tensor
    ) -> KVCache:
        """Return an empty cache for histories of `lengths`, with the width, type and device of `like` (..., D)."""
        layers, series, longest, width = len(heads), len(lengths), max(lengths), like.shape[-1]
        few = samples <= FEW_SAMPLES
        shared = like.new_empty(layers, 2, series, longest + (samples * capacity if few else 0), width)
        if min(lengths) < longest:
            shared.zero_()  # padding is masked, but a NaN in unset memory would survive the mask
        drawn = None if few else like.new_empty(layers, 2, series * samples, capacity, width)
        return cls(tuple(heads), shared, drawn, tuple(lengths), samples, longest)

    @property
    def nbytes(self) -> int:
        """Return the size of the cache in bytes."""
        return self.shared.nbytes + (0 if self.drawn is None else self.drawn.nbytes)

    def part(self, series: slice, rows: slice) -> KVCache:
        """Return a view of the cache for some series, or for some rows of one series."""
        first = series.start * self.samples
        own = slice(rows.start - first, rows.stop - first) if series.stop - series.start == 1 else slice(None)
        drawn = None if self.drawn is None else self.drawn[:, :, rows]
        return replace(self, shared=self.shared[:, :, series], drawn=drawn, lengths=self.lengths[series], rows=own)

    def restart(self, length: int) -> KVCache:
        """Return this cache emptied, for histories of `length` positions, no longer than before."""
        return replace(self, lengths=(length,) * len(self.lengths), longest=length, steps=0)

    def select(self, series: Tensor) -> KVCache:
        """Return a copy with the chosen series (K,) only."""
        lengths = tuple(self.lengths[i] for i in series.tolist())
        drawn = None if self.drawn is None else self.drawn[:, :, rows_of(series, self.samples)]
        return replace(self, shared=self.shared[:, :, series], drawn=drawn, lengths=lengths)

    def put_history(self, layer: int, kv: Tensor) -> None:
        """Store the histories' keys and values (S, P, 2, H, E) of one layer."""
        self._shared[layer][:, :, :, : kv.shape[1]] = kv.permute(2, 0, 3, 1, 4)  # (2, S, H, P, E)

    def extend(self, layer: int, kv: Tensor) -> None:
        """Store keys and values (R, M, 2, H, E) after the `steps` drawn positions; the caller increases `steps`."""
        if self._interleaved:
            kv = kv.view(len(self.lengths), -1, *kv.shape[1:]).permute(3, 0, 4, 2, 1, 5)  # (2, S, H, M, samples, E)
        else:
            kv = kv.permute(2, 0, 3, 1, 4)  # (2, R, H, M, E)
        self._drawn[layer].narrow(3, self.steps, kv.shape[3]).copy_(kv)

    @property
    def length(self) -> int:
        """Return the number of positions of the longest row."""
        return max(self.lengths) + self.steps

    def positions(self, new: int) -> slice | Tensor:
        """Return the positions of the next `new` candles: (M,) if equal for all rows, else (R, M)."""
        if len(set(self.lengths)) == 1:
            return slice(self.length, self.length + new)
        lengths = torch.tensor(self.lengths, device=self.shared.device).repeat_interleave(self.samples)
        return lengths.unsqueeze(1) + torch.arange(self.steps, self.steps + new, device=self.shared.device)

    def attend(self, layer: int, q: Tensor, seen: int) -> Tensor:
        """Return the attention (R, M, H, E) of queries (R, M, H, E) to the histories and `seen` drawn positions.

        Several queries of a row are its last drawn positions, and attention among them is causal.

        The samples of a series are query rows of one product with their history, which is neither copied nor read
        twice. For several queries a row, attention to each of the two parts is weighted by its share of the softmax.
        """
        rows, new, heads, _ = q.shape
        if new == 1 and self.drawn is None and rows == len(self.lengths) * self.samples:
            return self._attend_few(layer, q, seen)
        if new == 1 and self.drawn is not None and seen and self.longest:
            return self._attend_one(layer, q, seen)
        parts = []
        if self.longest:
            together = self._by_series(q).transpose(1, 2)  # (S, H, samples x M, E)
            parts.append(_attention(together, *self._shared[layer], mask=self._padding))
        if seen:
            parts.append(_attention(q.transpose(1, 2), *self._own(layer, seen), causal=new > 1))
        # (S, H, samples x M, E) or (R, H, M, E) -> (R, M, H, E); log-sums alike, with E = 1
        outputs = [[x.transpose(1, 2).reshape(rows, new, heads, -1) for x in part] for part in parts]
        if len(outputs) == 1:
            return outputs[0][0]
        (of_shared, shared_sum), (of_drawn, drawn_sum) = outputs
        return torch.lerp(of_drawn, of_shared, torch.sigmoid(shared_sum - drawn_sum))

    def _attend_few(self, layer: int, q: Tensor, seen: int) -> Tensor:
        """Return the attention of one query a row (R, 1, H, E) by two products that mask the other samples."""
        used = self.longest + seen * self.samples
        k, v = self._whole[layer].narrow(3, 0, used)  # each (S, H, used, E)
        if self._visible is None:
            attended: Tensor = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, scale=1.0)
            return attended.transpose(1, 2)
        scores = self._by_series(q).transpose(1, 2) @ k.mT  # (S, H, samples, used)
        out: Tensor = scores.add_(self._visible[..., :used]).softmax(dim=-1) @ v
        return out.transpose(1, 2).reshape(q.shape)  # (S, H, samples, E) -> (R, 1, H, E)

    def _attend_one(self, layer: int, q: Tensor, seen: int) -> Tensor:
        """Return the attention of one query a row (R, 1, H, E) by few products and one softmax over both parts."""
        (shared_k, shared_v), (k, v) = self._shared[layer], self._drawn[layer][:, :, :, :seen]
        series, heads, longest, _ = shared_k.shape
        scores = self._by_series(q).transpose(1, 2) @ shared_k.mT  # (S, H, samples, P)
        if self._padding is not None:
            scores += self._padding
        scores = scores.transpose(1, 2).reshape(len(q), heads, 1, longest)  # (R, H, 1, P)
        p = torch.cat((scores, q.transpose(1, 2) @ k.mT), dim=-1).softmax(dim=-1)  # (R, H, 1, P + seen)
        of_shared = p[..., :longest].view(series, -1, heads, longest).transpose(1, 2) @ shared_v  # (S, H, samples, E)
        out: Tensor = (p[..., longest:] @ v).transpose(1, 2)  # (R, 1, H, E)
        return out.add_(of_shared.transpose(1, 2).reshape(out.shape))

    def _own(self, layer: int, seen: int) -> Tensor:
        """Return keys and values (2, R, H, seen, E) of the first `seen` drawn positions."""
        cached = self._drawn[layer][:, :, :, :seen]
        # (2, S, H, seen, samples, E) -> (2, S, samples, H, seen, E) -> (2, R, H, seen, E)
        return cached.permute(0, 1, 4, 2, 3, 5).flatten(1, 2) if self._interleaved else cached

    def _by_series(self, q: Tensor) -> Tensor:
        """Return queries (R, M, H, E) as (S, samples x M, H, E)."""
        series = self.shared.shape[2]
        return q.reshape(series, q.shape[0] // series * q.shape[1], *q.shape[2:])

    def _by_head(self, cached: Tensor) -> list[Tensor]:
        """Return each layer of `cached` as (2, S or R, H, positions, E)."""
        _, _, rows, room, width = cached.shape
        return [cached[i].view(2, rows, heads, room, width // heads) for i, heads in enumerate(self.heads)]


def rows_of(series: Tensor, samples: int) -> Tensor:
    """Return the rows (K x samples,) of some series (K,)."""
    return (series[:, None] * samples + torch.arange(samples, device=series.device)).flatten()


def _padding(lengths: Sequence[int], longest: int, like: Tensor) -> Tensor | None:
    """Return a mask (S, 1, 1, longest): minus infinity at padding, else zero; None without padding."""
    if min(lengths) == longest:
        return None
    empty = torch.tensor(lengths, device=like.device)[:, None] <= torch.arange(longest, device=like.device)
    return like.new_zeros(empty.shape).masked_fill_(empty, -math.inf)[:, None, None]


def _visible(longest: int, room: int, samples: int, padding: Tensor | None, like: Tensor) -> Tensor | None:
    """Return a mask (1 or S, 1, samples, room): zero at a sample's own positions; None if all are visible."""
    if samples == 1 and padding is None:
        return None
    visible = like.new_full((1 if padding is None else len(padding), 1, samples, room), -math.inf)
    visible[..., :longest] = 0.0 if padding is None else padding
    for sample in range(samples):
        visible[:, :, sample, longest + sample :: samples] = 0.0
    return visible


def _split_interleaved(cached: Tensor, samples: int) -> Tensor:
    """Return the interleaved positions (2, S, H, room, E) of samples as (2, S, H, capacity, samples, E)."""
    capacity = cached.shape[3] // samples
    return cached[:, :, :, : capacity * samples].view(*cached.shape[:3], capacity, samples, cached.shape[4])


def _attention(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return attention (B, H, T, E) and the log-sum of its softmax (B, H, T, 1), by a fused kernel on the CPU."""
    if q.device.type != "cpu":
        return attention_by_hand(q, k, v, mask=mask, causal=causal)
    out, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, is_causal=causal, attn_mask=mask, scale=1.0
    )
    return out, log_sum.unsqueeze(-1)


def attention_by_hand(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return the result of `_attention`, on any device."""
    scores = q @ k.mT  # (B, H, T, keys)
    if mask is not None:
        scores = scores + mask
    if causal:
        scores.masked_fill_(torch.ones_like(scores[0, 0], dtype=torch.bool).triu_(1), -math.inf)
    p = scores.softmax(dim=-1)
    # The largest score s has the largest share p = exp(s) / sum, so that log sum = s - log p.
    return p @ v, scores.amax(dim=-1, keepdim=True) - p.amax(dim=-1, keepdim=True).log()
