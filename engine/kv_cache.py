"""Keys and values of one generation call. Never an attribute of a model: sessions share models, not caches.

The history of a series is prefilled once and shared by all of its samples; each sample owns only the keys and values
of the candles it has drawn itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class LayerCache:
    """Keys and values of one attention layer: a prefix per series, then own positions per sample.

    Parameters
    ----------
    samples
        Rows that share each series' prefix.
    capacity
        Most positions a sample may add.
    """

    def __init__(self, samples: int, capacity: int) -> None:
        self.samples, self.capacity = samples, capacity
        self.prefix: tuple[Tensor, Tensor] | None = None
        self.own: tuple[Tensor, Tensor] | None = None
        self.steps = 0

    @property
    def length(self) -> int:
        """Return the number of positions held."""
        return (self.prefix[0].shape[2] if self.prefix else 0) + self.steps

    def append(self, k: Tensor, v: Tensor) -> None:
        """Take the prefix (S, H, P, E) at the first call, then one position (R, H, 1, E) at each further one."""
        if self.prefix is None:
            self.prefix = (k, v)
            return
        if self.own is None:
            rows, heads, _, width = k.shape
            self.own = (k.new_empty(rows, heads, self.capacity, width), v.new_empty(rows, heads, self.capacity, width))
        for store, new in zip(self.own, (k, v), strict=True):
            store[:, :, self.steps] = new[:, :, 0]
        self.steps += 1

    def attend(self, q: Tensor) -> Tensor:
        """Return the attention of one query a row, (S x samples, H, 1, E), to all positions held.

        The samples of a series are query rows of one product with the shared prefix, so that it is neither copied nor
        read twice.
        """
        assert self.prefix is not None, "attend() before the prefix was prefilled"
        keys, values = self.prefix
        rows, heads, _, width = q.shape
        shared_q = q.view(-1, rows // len(keys), heads, width).transpose(1, 2)  # (S, H, samples, E)
        scores = (shared_q @ keys.mT).transpose(1, 2).reshape(rows, heads, 1, -1)  # (S x samples, H, 1, P)
        if self.own is not None:
            own_keys = self.own[0][:, :, : self.steps]
            scores = torch.cat((scores, q @ own_keys.mT), dim=-1)
        weights = torch.softmax(scores / math.sqrt(width), dim=-1)
        shared = weights[..., : keys.shape[2]].view(len(keys), -1, heads, keys.shape[2]).transpose(1, 2)
        out = (shared @ values).transpose(1, 2).reshape(rows, heads, 1, width)
        if self.own is not None:
            out = out + weights[..., keys.shape[2] :] @ self.own[1][:, :, : self.steps]
        return out


class KVCache:
    """The caches of all blocks and of the cross-attention, for one call."""

    def __init__(self, n_layers: int, samples: int, capacity: int) -> None:
        self.blocks = [LayerCache(samples, capacity) for _ in range(n_layers)]
        self.cross = LayerCache(samples, capacity)
