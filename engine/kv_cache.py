"""Keys and values of one generation call. Never an attribute of a model: sessions share models, not caches.

The history of a series is prefilled once and shared by all of its samples; each sample owns only the keys and values
of the candles it has drawn itself.

Shapes: S series, R = S x samples rows (series-major), P history positions, M new positions, D model width, H heads.
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
    """Keys and values of every attention layer, the cross-attention's last.

    Attributes
    ----------
    prefix
        (layers, 2, S, P, D) of the shared histories.
    own
        (layers, 2, R, capacity, D) of the candles each row has drawn.
    lengths
        Filled positions of each history; all P unless `mask` is there.
    mask
        (S, 1, 1, P), minus infinity where a shorter history is padded; None where none is.
    both
        (layers, 2, S, P + capacity, D), where a lone path a series makes `prefix` and `own` two ends of one buffer.
    steps
        Filled positions of `own`.
    """

    prefix: Tensor
    own: Tensor
    lengths: tuple[int, ...]
    mask: Tensor | None = None
    both: Tensor | None = None
    steps: int = 0

    @classmethod
    def allocate(cls, layers: int, lengths: Sequence[int], samples: int, capacity: int, like: Tensor) -> KVCache:
        """Return an empty cache for histories of `lengths`, of the width, type and device of `like` (..., D)."""
        series, longest, width = len(lengths), max(lengths), like.shape[-1]
        if samples == 1 and min(lengths) == longest:
            # Both parts lie end to end, so that a step attends to them at once.
            both = like.new_empty(layers, 2, series, longest + capacity, width)
            return cls(both[:, :, :, :longest], both[:, :, :, longest:], tuple(lengths), both=both)
        prefix = like.new_empty(layers, 2, series, longest, width)
        own = like.new_empty(layers, 2, series * samples, capacity, width)
        if min(lengths) == longest:
            return cls(prefix, own, tuple(lengths))
        prefix.zero_()  # padding is masked, but a NaN left in memory would survive the mask
        filled = torch.tensor(lengths, device=like.device)[:, None] > torch.arange(longest, device=like.device)
        mask = like.new_zeros(filled.shape).masked_fill_(~filled, -math.inf)[:, None, None]
        return cls(prefix, own, tuple(lengths), mask)

    @property
    def samples(self) -> int:
        """Return the rows that share one history."""
        return self.own.shape[2] // self.prefix.shape[2]

    @property
    def nbytes(self) -> int:
        """Return the memory the cache holds."""
        return self.prefix.nbytes + self.own.nbytes

    def part(self, series: slice, rows: slice) -> KVCache:
        """Return the cache of some series, or of some rows of one, sharing memory with this one."""
        lengths = self.lengths[series]
        prefix = self.prefix[:, :, series, : max(lengths)]
        mask = self.mask[series, ..., : max(lengths)] if self.mask is not None and min(lengths) < max(lengths) else None
        both = self.both[:, :, series] if self.both is not None else None
        return replace(self, prefix=prefix, own=self.own[:, :, rows], lengths=lengths, mask=mask, both=both)

    def restart(self, longest: int) -> KVCache:
        """Return this cache emptied, for histories that are all of `longest` positions, fewer than before."""
        prefix, own = self.prefix[:, :, :, :longest], self.own
        if self.both is not None:
            own = self.both[:, :, :, longest : longest + own.shape[3]]
        return replace(self, prefix=prefix, own=own, lengths=(longest,) * len(self.lengths), steps=0)

    def keep(self, series: Tensor) -> KVCache:
        """Return a cache of the chosen series (K,) alone, in memory of its own."""
        rows = (series[:, None] * self.samples + torch.arange(self.samples, device=series.device)).flatten()
        lengths = tuple(self.lengths[i] for i in series.tolist())
        kept = KVCache.allocate(len(self.prefix), lengths, self.samples, self.own.shape[3], self.own)
        kept.prefix.copy_(self.prefix[:, :, series, : max(lengths)])
        kept.own[:, :, :, : self.steps] = self.own[:, :, rows, : self.steps]
        kept.steps = self.steps
        return kept

    def put_prefix(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Store the histories' keys and values (S, P, D) of one layer."""
        self.prefix[layer, 0].copy_(k)
        self.prefix[layer, 1].copy_(v)

    def extend(self, layer: int, k: Tensor, v: Tensor) -> None:
        """Store keys and values (R, M, D) after the first `steps` own positions; the caller moves `steps` on."""
        new = slice(self.steps, self.steps + k.shape[1])
        self.own[layer, 0][:, new] = k
        self.own[layer, 1][:, new] = v

    def positions(self, new: int) -> Tensor:
        """Return the positions of the next `new` candles: (M,) where all rows stand alike, else (R, M)."""
        ahead = torch.arange(self.steps, self.steps + new, device=self.own.device)
        if self.mask is None:
            return ahead + self.lengths[0]
        lengths = torch.tensor(self.lengths, device=self.own.device).repeat_interleave(self.samples)
        return lengths.unsqueeze(1) + ahead

    def attend(self, layer: int, q: Tensor, heads: int, seen: int) -> Tensor:
        """Return what queries (R, M, D) find in the histories and in the first `seen` own positions, (R, M, D).

        Several queries a row are its last own positions, and each sees those up to itself.

        The samples of a series are query rows of one product with their history, which is neither copied nor read
        twice. Attention to each of the two parts is then weighted by its share of the softmax's sum.
        """
        rows, new, width = q.shape
        if self.both is not None and new == 1:
            k, v = self.both[layer, :, :, : self.prefix.shape[3] + seen]
            found = F.scaled_dot_product_attention(split_heads(q, heads), split_heads(k, heads), split_heads(v, heads))
            return found.transpose(1, 2).reshape(rows, new, width)
        series, longest = self.prefix.shape[2:4]
        parts = []
        if longest:
            together = q.view(series, rows // series * new, width)  # (R, M, D) -> (S, samples x M, D)
            shared = _attention(*(split_heads(x, heads) for x in (together, *self.prefix[layer])), mask=self.mask)
            parts.append([x.transpose(1, 2).reshape(rows, new, heads, -1) for x in shared])
        if seen:
            owned = _attention(*(split_heads(x, heads) for x in (q, *self.own[layer, :, :, :seen])), causal=new > 1)
            parts.append([x.transpose(1, 2).reshape(rows, new, heads, -1) for x in owned])
        if len(parts) == 1:
            return parts[0][0].reshape(rows, new, width)
        (shared_found, shared_sum), (own_found, own_sum) = parts
        return torch.lerp(own_found, shared_found, torch.sigmoid(shared_sum - own_sum)).reshape(rows, new, width)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """Return (B, H, T, E) of `x` (B, T, D)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return attention (B, H, T, E) and its softmax's log-sum (B, H, T); causal where T is the keys' too."""
    if q.device.type == "cpu":
        out: tuple[Tensor, Tensor] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, is_causal=causal, attn_mask=mask
        )
        return out
    return attention_by_hand(q, k, v, mask=mask, causal=causal)


def attention_by_hand(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Return what `_attention` does, on any device."""
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (B, H, T, keys)
    if mask is not None:
        scores = scores + mask
    if causal:
        scores = scores.masked_fill(torch.ones_like(scores[0, 0], dtype=torch.bool).triu_(1), -math.inf)
    total = scores.logsumexp(dim=-1)
    return (scores - total.unsqueeze(-1)).exp() @ v, total
