"""Keys and values of one generation call. Never an attribute of a model: sessions share models, not caches.

The history of a series is prefilled once and shared by all of its samples; each sample owns only the keys and values
of the candles it has drawn itself.

Shapes: S series, R = S x samples rows (series-major), P history positions, M new positions, D model width, H heads,
E = D / H head width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass
class KVCache:
    """Keys and values of every attention layer. Heads come before positions, so that each reads its own in order.

    Attributes
    ----------
    heads
        Heads of each layer.
    shared
        (layers, 2, S, room, D) for the histories: a layer's (room, D) holds (H, room, E).
    drawn
        (layers, 2, R, capacity, D) for the candles each row draws, laid out alike; None where a lone path a series
        continues in `shared`, right after its history, so that a step attends to both at once.
    lengths
        Positions of each history.
    mask
        (S, 1, 1, P), minus infinity where a shorter history is padded; None where all are alike.
    steps
        Drawn positions so far.
    """

    heads: tuple[int, ...]
    shared: Tensor
    drawn: Tensor | None
    lengths: tuple[int, ...]
    mask: Tensor | None = None
    steps: int = 0

    @classmethod
    def allocate(
        cls, heads: Sequence[int], lengths: Sequence[int], samples: int, capacity: int, like: Tensor
    ) -> KVCache:
        """Return an empty cache for histories of `lengths`, of the width, type and device of `like` (..., D)."""
        layers, series, longest, width = len(heads), len(lengths), max(lengths), like.shape[-1]
        ragged = min(lengths) < longest
        if samples == 1 and not ragged:
            return cls(tuple(heads), like.new_empty(layers, 2, series, longest + capacity, width), None, tuple(lengths))
        shared = like.new_empty(layers, 2, series, longest, width)
        if ragged:
            shared.zero_()  # padding is masked, but a NaN left in memory would survive the mask
        drawn = like.new_empty(layers, 2, series * samples, capacity, width)
        return cls(tuple(heads), shared, drawn, tuple(lengths), _padding(lengths, like))

    @property
    def samples(self) -> int:
        """Return the rows that share one history."""
        return 1 if self.drawn is None else self.drawn.shape[2] // self.shared.shape[2]

    @property
    def nbytes(self) -> int:
        """Return the memory the cache holds."""
        return self.shared.nbytes + (0 if self.drawn is None else self.drawn.nbytes)

    def part(self, series: slice, rows: slice) -> KVCache:
        """Return the cache of some series, or of some rows of one, sharing memory with this one."""
        lengths = self.lengths[series]
        drawn = None if self.drawn is None else self.drawn[:, :, rows]
        return replace(
            self, shared=self.shared[:, :, series], drawn=drawn, lengths=lengths, mask=_padding(lengths, self.shared)
        )

    def restart(self, length: int) -> KVCache:
        """Return this cache emptied, for histories that are all of `length` positions, no longer than before."""
        return replace(self, lengths=(length,) * len(self.lengths), steps=0)

    def keep(self, series: Tensor) -> KVCache:
        """Return a cache of the chosen series (K,) alone, in memory of its own."""
        rows = (series[:, None] * self.samples + torch.arange(self.samples, device=series.device)).flatten()
        lengths = tuple(self.lengths[i] for i in series.tolist())
        drawn = None if self.drawn is None else self.drawn[:, :, rows]
        return replace(
            self, shared=self.shared[:, :, series], drawn=drawn, lengths=lengths, mask=_padding(lengths, self.shared)
        )

    def put_history(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Store the histories' keys and values (S, P, D) of one layer."""
        for held, new in zip(self._shared(layer), (k, v), strict=True):
            held.copy_(split_heads(new, self.heads[layer]))

    def extend(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Store keys and values (R, M, D) after the `steps` positions drawn; the caller moves `steps` on."""
        now = slice(self.steps, self.steps + k.shape[1])
        for held, new in zip(self._drawn(layer), (k, v), strict=True):
            held[:, :, now] = split_heads(new, self.heads[layer])

    def positions(self, new: int) -> Tensor:
        """Return the positions of the next `new` candles: (M,) where all rows stand alike, else (R, M)."""
        ahead = torch.arange(self.steps, self.steps + new, device=self.shared.device)
        if self.mask is None:
            return ahead + self.lengths[0]
        lengths = torch.tensor(self.lengths, device=self.shared.device).repeat_interleave(self.samples)
        return lengths.unsqueeze(1) + ahead

    def attend(self, layer: int, q: Tensor, seen: int) -> Tensor:
        """Return what queries (R, M, D) find in the histories and in the first `seen` drawn positions, (R, M, D).

        Several queries a row are its last drawn positions, and each sees those up to itself.

        The samples of a series are query rows of one product with their history, which is neither copied nor read
        twice. Attention to each of the two parts is then weighted by its share of the softmax's sum.
        """
        rows, new, width = q.shape
        heads = self.heads[layer]
        if self.drawn is None and new == 1:
            k, v = self._layer(self.shared, layer)[:, :, :, : self.lengths[0] + seen]
            return F.scaled_dot_product_attention(split_heads(q, heads), k, v).transpose(1, 2).reshape(rows, new, width)
        series = self.shared.shape[2]
        parts = []
        if max(self.lengths):
            together = split_heads(q.view(series, rows // series * new, width), heads)  # (S, H, samples x M, E)
            shared = _attention(together, *self._shared(layer), mask=self.mask)
            parts.append([x.transpose(1, 2).reshape(rows, new, heads, -1) for x in shared])
        if seen:
            drawn = _attention(split_heads(q, heads), *self._drawn(layer)[:, :, :, :seen], causal=new > 1)
            parts.append([x.transpose(1, 2).reshape(rows, new, heads, -1) for x in drawn])
        if len(parts) == 1:
            return parts[0][0].reshape(rows, new, width)
        (of_shared, shared_sum), (of_drawn, drawn_sum) = parts
        return torch.lerp(of_drawn, of_shared, torch.sigmoid(shared_sum - drawn_sum)).reshape(rows, new, width)

    def _layer(self, held: Tensor, layer: int) -> Tensor:
        return held[layer].view(2, held.shape[2], self.heads[layer], held.shape[3], -1)  # (2, S or R, H, positions, E)

    def _shared(self, layer: int) -> Tensor:
        return self._layer(self.shared, layer)[:, :, :, : max(self.lengths)]

    def _drawn(self, layer: int) -> Tensor:
        if self.drawn is None:
            return self._layer(self.shared, layer)[:, :, :, self.lengths[0] :]
        return self._layer(self.drawn, layer)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Return (B, H, T, E) of `x` (B, T, D)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def _padding(lengths: Sequence[int], like: Tensor) -> Tensor | None:
    longest = max(lengths)
    if min(lengths) == longest:
        return None
    empty = torch.tensor(lengths, device=like.device)[:, None] <= torch.arange(longest, device=like.device)
    return like.new_zeros(empty.shape).masked_fill_(empty, -math.inf)[:, None, None]


def _attention(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return attention (B, H, T, E) and its softmax's log-sum (B, H, T, 1); causal where T is the keys' too.

    The processor's fused kernel does that for many queries; for a lone one, plain products are faster.
    """
    if q.device.type != "cpu" or q.shape[2] == 1:
        return attention_by_hand(q, k, v, mask=mask, causal=causal)
    found, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, is_causal=causal, attn_mask=mask)
    return found, total.unsqueeze(-1)


def attention_by_hand(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what `_attention` does, on any device."""
    scores = (q / math.sqrt(q.shape[-1])) @ k.mT  # (B, H, T, keys)
    if mask is not None:
        scores = scores + mask
    if causal:
        scores.masked_fill_(torch.ones_like(scores[0, 0], dtype=torch.bool).triu_(1), -math.inf)
    total = scores.logsumexp(dim=-1, keepdim=True)
    return scores.sub_(total).exp_() @ v, total
