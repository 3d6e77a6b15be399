"""The building blocks of both networks. Tensor names are those of the published checkpoints.

Shapes: B rows, T positions, D model width, H heads, E = D / H head width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig, TokenizerConfig

ROTARY_BASE = 10000.0
CHUNK = 128  # queries at a time in `causal_attention`


class RMSNorm(nn.Module):
    """Root-mean-square norm, computed in float32 for every input precision."""

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis of `x`."""
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)).type_as(x) * self.weight


class Rotary(nn.Module):
    """Rotary positions of the half-split kind (arXiv:2104.09864)."""

    inv_freq: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / ROTARY_BASE ** (torch.arange(0, head_dim, 2).float() / head_dim))

    def forward(self, x: Tensor) -> Tensor:
        """Rotate `x` (B, H, T, E) by the angles of positions `0 ... T - 1`."""
        positions = torch.arange(x.shape[-2], device=x.device, dtype=self.inv_freq.dtype)
        angles = torch.outer(positions, self.inv_freq)  # (T, E/2)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        a, b = x.chunk(2, dim=-1)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Attention(nn.Module):
    """Multi-head attention; its projections have biases."""

    def __init__(self, d_model: int, n_heads: int, attn_dropout_p: float = 0.0, resid_dropout_p: float = 0.0) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.attn_dropout_p = attn_dropout_p
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.rotary = Rotary(d_model // n_heads)
        self.resid_dropout = nn.Dropout(resid_dropout_p)

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self.n_heads, -1).transpose(1, 2)  # (B, T, D) -> (B, H, T, E)

    def _merge(self, x: Tensor) -> Tensor:
        out: Tensor = self.resid_dropout(self.out_proj(x.transpose(1, 2).flatten(2)))  # (B, H, T, E) -> (B, T, D)
        return out

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, causal: bool, padding_mask: Tensor | None) -> Tensor:
        dropout = self.attn_dropout_p if self.training else 0.0
        if padding_mask is None and causal and not dropout and _trains_in_bfloat16(q):
            return causal_attention(q, k, v)
        before = k.shape[-2] - q.shape[-2]  # positions without a query
        if padding_mask is None and causal and before:
            visible = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=k.device).tril(before)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout)
        if padding_mask is None:
            return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=causal)
        visible = ~padding_mask[:, None, None, :]  # (B, 1, 1, T)
        if causal:
            size = k.shape[-2]
            visible = visible & torch.ones(size, size, dtype=torch.bool, device=k.device).tril()
            # A row that sees nothing would be NaN: padded rows see themselves, and are not used.
            visible = visible | torch.eye(size, dtype=torch.bool, device=k.device)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=visible, dropout_p=dropout)


def causal_attention(q: Tensor, k: Tensor, v: Tensor, chunk: int = CHUNK) -> Tensor:
    """Return causal scaled dot-product attention (B, H, Tq, E), computed some queries at a time.

    Queries (B, H, Tq, E) are the last Tq positions of `k` and `v` (B, H, T, E). The gradient of PyTorch's own kernel
    takes twice as long on a CPU in bfloat16.
    """
    before = k.shape[-2] - q.shape[-2]  # positions without a query
    q, keys = q / math.sqrt(q.shape[-1]), k.transpose(-1, -2)
    outputs = []
    for first in range(0, q.shape[-2], chunk):
        queries = q[..., first : first + chunk, :]
        start, end = before + first, before + first + queries.shape[-2]
        scores = queries @ keys[..., :end]  # (B, H, chunk, end)
        later = torch.ones(end - start, end - start, dtype=torch.bool, device=q.device).triu(1)
        scores[..., start:].masked_fill_(later, -math.inf)
        outputs.append(scores.softmax(-1) @ v[..., :end, :])
    return torch.cat(outputs, dim=-2)


def _trains_in_bfloat16(q: Tensor) -> bool:
    return q.requires_grad and q.dtype == torch.bfloat16 and q.device.type == "cpu"


class SelfAttention(Attention):
    """Causal self-attention with rotary positions."""

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return the self-attention (B, T, D) of `x` (B, T, D)."""
        q, k, v = self._heads(self.q_proj(x)), self._heads(self.k_proj(x)), self._heads(self.v_proj(x))
        return self._merge(self._attend(self.rotary(q), self.rotary(k), v, True, padding_mask))


class CrossAttention(Attention):
    """Attention of coarse-token queries to the context: the fine token depends on the coarse one."""

    def forward(
        self, query: Tensor, context: Tensor, *, causal: bool, rotate: bool, padding_mask: Tensor | None = None
    ) -> Tensor:
        """Return the attention (B, Tq, D) of `query` (B, Tq, D), at the last Tq positions of `context` (B, T, D)."""
        q = self._heads(self.q_proj(query))
        k, v = self._heads(self.k_proj(context)), self._heads(self.v_proj(context))
        if rotate:
            q, k = self.rotary(q), self.rotary(k)
        return self._merge(self._attend(q, k, v, causal, padding_mask))


class FeedForward(nn.Module):
    """SwiGLU (arXiv:2002.05202) without biases."""

    def __init__(self, d_model: int, ff_dim: int, dropout_p: float = 0.0) -> None:
        super().__init__()
        self.w1 = nn.Linear(d_model, ff_dim, bias=False)
        self.w3 = nn.Linear(d_model, ff_dim, bias=False)
        self.w2 = nn.Linear(ff_dim, d_model, bias=False)
        self.dropout = nn.Dropout(dropout_p)

    def forward(self, x: Tensor) -> Tensor:
        """Return each position of `x` (..., D) transformed."""
        out: Tensor = self.dropout(self.w2(F.silu(self.w1(x)) * self.w3(x)))
        return out


class TransformerBlock(nn.Module):
    """Pre-norm block: attention, then feed-forward, each added to its input."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        ff_dim: int,
        ffn_dropout_p: float = 0.0,
        attn_dropout_p: float = 0.0,
        resid_dropout_p: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = RMSNorm(d_model)
        self.self_attn = SelfAttention(d_model, n_heads, attn_dropout_p, resid_dropout_p)
        self.norm2 = RMSNorm(d_model)
        self.ffn = FeedForward(d_model, ff_dim, ffn_dropout_p)

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return `x` (B, T, D) transformed."""
        x = x + self.self_attn(self.norm1(x), padding_mask)
        out: Tensor = x + self.ffn(self.norm2(x))
        return out


def build_blocks(c: ModelConfig | TokenizerConfig, count: int) -> nn.ModuleList:
    """Return `count` blocks of the width and dropout of a config."""
    return nn.ModuleList(
        TransformerBlock(c.d_model, c.n_heads, c.ff_dim, c.ffn_dropout_p, c.attn_dropout_p, c.resid_dropout_p)
        for _ in range(count)
    )
