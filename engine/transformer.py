"""The predictor: a decoder-only Transformer over token pairs; it predicts the fine token given the coarse one.

Shapes: B rows, T positions, D model width, V1 = 2^s1_bits coarse and V2 = 2^s2_bits fine tokens.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import ModelConfig
from engine.layers import CrossAttention, RMSNorm, build_blocks
from engine.loading.pretrained import PretrainedModule

CROSS_ATTENTION_HEADS = 4  # in every model size
TIME_MARKS = {"minute": 60, "hour": 24, "weekday": 7, "day": 32, "month": 13}


class FixedEmbedding(nn.Module):
    """An embedding whose table is fixed: sines and cosines."""

    def __init__(self, rows: int, d_model: int) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(rows).float(), 10000.0 ** (-torch.arange(0, d_model, 2).float() / d_model))
        table = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)  # sines at even, cosines at odd columns
        self.emb = nn.Embedding(rows, d_model)
        self.emb.weight = nn.Parameter(table, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the embeddings (..., D) of `x` (...)."""
        out: Tensor = self.emb(x)
        return out


class TemporalEmbedding(nn.Module):
    """Sum of the embeddings of minute, hour, weekday, day and month."""

    def __init__(self, d_model: int, learned: bool) -> None:
        super().__init__()
        table = nn.Embedding if learned else FixedEmbedding
        for mark, rows in TIME_MARKS.items():
            setattr(self, f"{mark}_embed", table(rows, d_model))

    def forward(self, stamp: Tensor) -> Tensor:
        """Return embeddings (B, T, D) of time marks `stamp` (B, T, 5)."""
        marks = stamp.long().unbind(-1)
        embeddings = [getattr(self, f"{name}_embed")(mark) for name, mark in zip(TIME_MARKS, marks, strict=True)]
        return torch.stack(embeddings).sum(0)


class HierarchicalEmbedding(nn.Module):
    """The embedding of a pair of coarse and fine token."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.scale = math.sqrt(c.d_model)
        self.emb_s1 = nn.Embedding(2**c.s1_bits, c.d_model)
        self.emb_s2 = nn.Embedding(2**c.s2_bits, c.d_model)
        self.fusion_proj = nn.Linear(2 * c.d_model, c.d_model)

    def forward(self, s1_ids: Tensor, s2_ids: Tensor) -> Tensor:
        """Return embeddings (B, T, D) of ids (B, T)."""
        pair = torch.cat((self.emb_s1(s1_ids), self.emb_s2(s2_ids)), dim=-1) * self.scale  # (B, T, 2D)
        out: Tensor = self.fusion_proj(pair)
        return out


class DependencyAwareLayer(nn.Module):
    """Adds the coarse token to the context, before the fine token is predicted."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.cross_attn = CrossAttention(d_model, CROSS_ATTENTION_HEADS)
        self.norm = RMSNorm(d_model)


class DualHead(nn.Module):
    """The logits of coarse and fine token."""

    def __init__(self, c: ModelConfig) -> None:
        super().__init__()
        self.proj_s1 = nn.Linear(c.d_model, 2**c.s1_bits)
        self.proj_s2 = nn.Linear(c.d_model, 2**c.s2_bits)

    def compute_loss(
        self,
        s1_logits: Tensor,
        s2_logits: Tensor,
        s1_targets: Tensor,
        s2_targets: Tensor,
        padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (mean of both, coarse, fine) cross-entropy in nats, without positions where `padding_mask` is true."""
        if padding_mask is not None:
            keep = ~padding_mask
            s1_logits, s1_targets = s1_logits[keep], s1_targets[keep]
            s2_logits, s2_targets = s2_logits[keep], s2_targets[keep]
        s1 = F.cross_entropy(s1_logits.reshape(-1, s1_logits.shape[-1]), s1_targets.reshape(-1))  # (B x T, V1), (B x T)
        s2 = F.cross_entropy(s2_logits.reshape(-1, s2_logits.shape[-1]), s2_targets.reshape(-1))  # (B x T, V2), (B x T)
        return (s1 + s2) / 2, s1, s2


class Kronos(PretrainedModule[ModelConfig]):
    """The predictor (arXiv:2508.02739, section 3.2). Parameters: the fields of `ModelConfig`, in their order."""

    config_class = ModelConfig

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__()
        self.config = c = ModelConfig(*values, **fields)
        self.s1_bits, self.s2_bits = c.s1_bits, c.s2_bits
        self.embedding = HierarchicalEmbedding(c)
        self.time_emb = TemporalEmbedding(c.d_model, c.learn_te)
        self.token_drop = nn.Dropout(c.token_dropout_p)
        self.transformer = build_blocks(c, c.n_layers)
        self.norm = RMSNorm(c.d_model)
        self.dep_layer = DependencyAwareLayer(c.d_model)
        self.head = DualHead(c)
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding) and module.weight.requires_grad:
            nn.init.normal_(module.weight, std=self.config.d_model**-0.5)

    def forward(
        self,
        s1_ids: Tensor,
        s2_ids: Tensor,
        stamp: Tensor | None = None,
        padding_mask: Tensor | None = None,
        use_teacher_forcing: bool = False,
        s1_targets: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return coarse logits (B, T, V1) and fine logits (B, T, V2) at every position, as the published class does.

        In eval mode the cross-attention sees the future, for compatibility: validate with `causal_logits` instead.

        Parameters
        ----------
        s1_ids, s2_ids
            Tokens (B, T).
        stamp
            Time marks (B, T, 5), or None.
        padding_mask
            True (B, T) where a position is padding.
        use_teacher_forcing, s1_targets
            With teacher forcing the fine logits at t depend on `s1_targets[:, t]`, the coarse token of candle t + 1;
            without it, on a token drawn from the coarse logits.
        """
        context = self._context(s1_ids, s2_ids, stamp, padding_mask=padding_mask)
        s1_logits = self.head.proj_s1(context)
        if use_teacher_forcing:
            if s1_targets is None:
                raise ValueError("Teacher forcing needs s1_targets, the coarse tokens of the next candles.")
            next_s1 = s1_targets
        else:
            probabilities = s1_logits.detach().softmax(-1).flatten(0, 1)  # (B x T, V1)
            next_s1 = torch.multinomial(probabilities, 1).view(s1_ids.shape)  # (B, T)
        s2_logits = self._fine_logits(context, next_s1, causal=self.training, rotate=True, padding_mask=padding_mask)
        return s1_logits, s2_logits

    def causal_logits(
        self, s1_ids: Tensor, s2_ids: Tensor, stamp: Tensor | None, s1_targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of generation at all positions at once, with causal and unrotated cross-attention.

        Shapes as in `forward`; use it for validation, in train and eval mode.
        """
        context = self._context(s1_ids, s2_ids, stamp)
        return self.head.proj_s1(context), self._fine_logits(context, s1_targets, causal=True, rotate=False)

    def decode_s1(
        self, s1_ids: Tensor, s2_ids: Tensor, stamp: Tensor | None = None, padding_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return coarse logits (B, T, V1) and the context (B, T, D) for `decode_s2`."""
        context = self._context(s1_ids, s2_ids, stamp, padding_mask=padding_mask)
        return self.head.proj_s1(context), context

    def decode_s2(self, context: Tensor, s1_ids: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Return fine logits (B, T, V2) given `context` (B, T, D) and the last coarse token `s1_ids` (B, 1)."""
        return self._fine_logits(context, s1_ids, causal=False, rotate=False, padding_mask=padding_mask)

    def _context(
        self, s1_ids: Tensor, s2_ids: Tensor, stamp: Tensor | None, *, padding_mask: Tensor | None = None
    ) -> Tensor:
        x = self.embedding(s1_ids, s2_ids)
        if stamp is not None:
            x = x + self.time_emb(stamp)
        x = self.token_drop(x)
        for block in self.transformer:
            x = block(x, padding_mask)
        out: Tensor = self.norm(x)
        return out

    def _fine_logits(
        self, context: Tensor, s1_ids: Tensor, *, causal: bool, rotate: bool, padding_mask: Tensor | None = None
    ) -> Tensor:
        query = self.embedding.emb_s1(s1_ids)
        attended = self.dep_layer.cross_attn(query, context, causal=causal, rotate=rotate, padding_mask=padding_mask)
        out: Tensor = self.head.proj_s2(self.dep_layer.norm(context + attended))
        return out
