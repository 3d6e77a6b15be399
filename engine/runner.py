"""Both networks as generation runs them: with packed weights and a cache, so that only new positions are computed.

The modules in `transformer.py` and `tokenizer.py` define the computation and are trained; the classes here compute the
same faster, and tests compare the two.

Shapes: S series, R = S x samples rows, P history positions, M new positions, D model width, V1, V2 vocabularies.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.compiling import Compiled
from engine.kv_cache import KVCache
from engine.layers import RMSNorm, TransformerBlock
from engine.packed import Precision, Product, pack
from engine.quantizer import pack_bits
from engine.tokenizer import KronosTokenizer
from engine.transformer import CROSS_ATTENTION_HEADS, Kronos

Pack = Callable[..., Product]


class Norm:
    """RMSNorm in three operations; the product that follows multiplies by `scale`, which includes the root of D."""

    def __init__(self, norm: RMSNorm) -> None:
        width = norm.weight.numel()
        self.scale = norm.weight.detach().float() * math.sqrt(width)
        self.floor = torch.tensor(math.sqrt(width * norm.eps), device=norm.weight.device)

    def __call__(self, x: Tensor) -> Tensor:
        """Return `x` (..., D) divided by the root of the sum of its squares, still without `scale`."""
        return x / torch.hypot(torch.linalg.vector_norm(x, dim=-1, keepdim=True), self.floor)


class PackedBlock:
    """A Transformer block; its three projections are one product."""

    def __init__(self, block: TransformerBlock, pack: Pack) -> None:
        attention, ffn = block.self_attn, block.ffn
        self.heads = attention.n_heads
        self.norm1, self.norm2 = Norm(block.norm1), Norm(block.norm2)
        q, k = (_pair_outputs(layer, self.heads) for layer in (attention.q_proj, attention.k_proj))
        for parameter in q.parameters():  # attention then need not divide by the root of the head width
            parameter.data /= math.sqrt(q.out_features // self.heads)
        self.qkv = pack(q, k, attention.v_proj, scale=self.norm1.scale)
        self.out = pack(attention.out_proj)
        self.gate_up = pack(ffn.w1, ffn.w3, scale=self.norm2.scale)
        self.down = pack(ffn.w2)

    def project(self, x: Tensor, turns: Tensor) -> Tensor:
        """Return rotated queries and keys, and values (B, T, 3, H, E) of `x` (B, T, D).

        `turns` are complex numbers of length 1, (T, 1, 1, E / 2), or (B, T, 1, 1, E / 2) if positions differ by row.
        The rotated pairs of queries and keys are neighbours; this order of outputs does not change their product.
        """
        rows, new, width = x.shape
        # (B, T, D) -> (B x T, D) -> (B x T, 3D) -> (B, T, 3, H, E / 2, 2)
        qkv = self.qkv(self.norm1(x).view(-1, width)).view(rows, new, 3, self.heads, -1, 2)
        torch.view_as_complex(qkv[:, :, :2]).mul_(turns)
        return qkv.view(rows, new, 3, self.heads, -1)  # (B, T, 3, H, E)

    def finish(self, x: Tensor, attended: Tensor) -> Tensor:
        """Return the block's output (B, T, D) of its input `x` (B, T, D) and the attention (B, T, H, E)."""
        width = x.shape[-1]
        flat = self.out(attended.reshape(-1, width)).add_(x.reshape(-1, width))  # (B x T, D)
        gate, up = self.gate_up(self.norm2(flat)).chunk(2, dim=-1)
        return self.down(F.silu(gate).mul_(up)).add_(flat).view(x.shape)  # (B x T, D) -> (B, T, D)


def _pair_outputs(layer: nn.Linear, heads: int) -> nn.Linear:
    """Return a copy of `layer` with outputs i and i + E / 2 of each head, which rotate together, as neighbours."""
    paired = copy.deepcopy(layer)
    for parameter in paired.parameters():
        halves = parameter.data.view(heads, 2, -1, *parameter.shape[1:])  # (H, 2, E / 2, ...)
        parameter.data = halves.transpose(1, 2).reshape(parameter.shape)
    return paired


class PackedStack:
    """A sequence of blocks with the angles of their rotary positions."""

    def __init__(self, blocks: Iterable[TransformerBlock], pack: Pack, *, compiled: bool = False) -> None:
        blocks = list(blocks)
        self.blocks = [PackedBlock(block, pack) for block in blocks]
        self._project = Compiled(PackedBlock.project) if compiled else PackedBlock.project
        self._finish = Compiled(PackedBlock.finish) if compiled else PackedBlock.finish
        self.inv_freq = blocks[0].self_attn.rotary.inv_freq if blocks else torch.empty(0)
        self._turns = torch.empty(0)

    @property
    def heads(self) -> list[int]:
        """Return the number of heads of each block."""
        return [block.heads for block in self.blocks]

    def prefill(self, x: Tensor, cache: KVCache | None) -> Tensor:
        """Return histories `x` (S, P, D) transformed, and put their keys and values into `cache`."""
        turns = self._rotations(x.shape[1])[: x.shape[1]]
        for layer, block in enumerate(self.blocks):
            qkv = self._project(block, x, turns)
            if cache is not None:
                cache.put_history(layer, qkv[:, :, 1:])
            q, k, v = qkv.transpose(1, 3).unbind(2)  # (S, P, 3, H, E) -> three of (S, H, P, E)
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)
            x = self._finish(block, x, attended.transpose(1, 2))  # (S, H, P, E) -> (S, P, H, E)
        return x

    def extend(self, x: Tensor, cache: KVCache) -> Tensor:
        """Return new positions `x` (R, M, D) transformed; `cache` has the earlier positions and gets the new ones."""
        turns = self._rotations(cache.length + x.shape[1])[cache.positions(x.shape[1])]
        for layer, block in enumerate(self.blocks):
            qkv = self._project(block, x, turns)
            cache.extend(layer, qkv[:, :, 1:])
            x = self._finish(block, x, cache.attend(layer, qkv[:, :, 0], cache.steps + x.shape[1]))
        return x

    def _rotations(self, length: int) -> Tensor:
        """Return complex numbers (at least `length`, 1, 1, E / 2) that rotate the first positions."""
        if len(self._turns) < length:
            angles = torch.outer(torch.arange(2 * length, device=self.inv_freq.device).float(), self.inv_freq)
            self._turns = torch.polar(torch.ones_like(angles), angles)[:, None, None]
        return self._turns


class PackedKronos:
    """The predictor as generation runs it; it computes what `Kronos` does.

    Two products of every step are replaced by look-ups: the fusion of two embeddings is the sum of two table rows, and
    the query of the cross-attention is a table row.
    """

    def __init__(self, model: Kronos, precision: Precision = "float32", *, compiled: bool = False) -> None:
        layout: Pack = partial(pack, precision=precision, kernels=not compiled)
        embedding, cross = model.embedding, model.dep_layer.cross_attn
        coarse, fine = embedding.fusion_proj.weight.chunk(2, dim=1)  # (D, 2D) -> two of (D, D)
        self.coarse_table = embedding.emb_s1.weight @ coarse.T * embedding.scale + embedding.fusion_proj.bias  # (V1, D)
        self.fine_table = embedding.emb_s2.weight @ fine.T * embedding.scale  # (V2, D)
        head_width = model.config.d_model // CROSS_ATTENTION_HEADS
        self.query_table = cross.q_proj(embedding.emb_s1.weight) / math.sqrt(head_width)  # (V1, D)
        self.times = copy.deepcopy(model.time_emb)  # a model with reduced weights loses its own
        self.stack = PackedStack(model.transformer, layout, compiled=compiled)  # type: ignore[arg-type]  # a ModuleList
        self.norm, self.cross_norm = Norm(model.norm), Norm(model.dep_layer.norm)
        self.cross_kv = layout(cross.k_proj, cross.v_proj)
        self.cross_out = layout(cross.out_proj)
        self.head_s1, self.head_s2 = layout(model.head.proj_s1), layout(model.head.proj_s2, scale=self.cross_norm.scale)

    def allocate(self, lengths: Iterable[int], samples: int, capacity: int) -> KVCache:
        """Return an empty cache for histories of `lengths`; its last layer is the cross-attention."""
        heads = [*self.stack.heads, CROSS_ATTENTION_HEADS]
        return KVCache.allocate(heads, list(lengths), samples, capacity, self.coarse_table)

    def prefill(self, s1: Tensor, s2: Tensor, times: Tensor, cache: KVCache) -> Tensor:
        """Put histories of equal length, ids (S, P), times (S, P, D), into `cache`; return the last context (S, D)."""
        context = self.norm(self.stack.prefill(self._embed(s1, s2, times), cache)).mul_(self.norm.scale)
        cache.put_history(len(self.stack.blocks), self._cross(context))
        return context[:, -1]

    def extend(self, s1: Tensor, s2: Tensor, times: Tensor, cache: KVCache) -> Tensor:
        """Put new candles, ids (R, M) and times (R, M, D), into `cache`; return the last context (R, D)."""
        context = self.norm(self.stack.extend(self._embed(s1, s2, times), cache)).mul_(self.norm.scale)
        cache.extend(len(self.stack.blocks), self._cross(context))
        cache.steps += context.shape[1]
        return context[:, -1]

    def fine_logits(self, context: Tensor, s1: Tensor, cache: KVCache) -> Tensor:
        """Return fine logits (R, V2) given the last `context` (R, D) and the drawn coarse ids `s1` (R,)."""
        query = F.embedding(s1, self.query_table).view(len(s1), 1, CROSS_ATTENTION_HEADS, -1)  # (R, 1, H, E)
        attended = cache.attend(len(self.stack.blocks), query, cache.steps)
        return self.head_s2(self.cross_norm(self.cross_out(attended.reshape(context.shape)).add_(context)))

    def _embed(self, s1: Tensor, s2: Tensor, times: Tensor) -> Tensor:
        return F.embedding(s1, self.coarse_table).add_(F.embedding(s2, self.fine_table)).add_(times)

    def _cross(self, context: Tensor) -> Tensor:
        """Return the unrotated keys and values (B, T, 2, H, E) of the cross-attention."""
        rows, new, width = context.shape
        return self.cross_kv(context.reshape(-1, width)).view(rows, new, 2, CROSS_ATTENTION_HEADS, -1)


class PackedTokenizer:
    """The tokenizer as generation runs it; always in float32, since rounded weights would change ids."""

    def __init__(self, tokenizer: KronosTokenizer) -> None:
        self.tokenizer = tokenizer
        self.encoder = PackedStack(tokenizer.encoder, pack)  # type: ignore[arg-type]  # a ModuleList
        self.decoder = PackedStack(tokenizer.decoder, pack)  # type: ignore[arg-type]  # a ModuleList

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return coarse and fine ids, each (S, T), of normalised candles `x` (S, T, 6)."""
        tokenizer = self.tokenizer
        bits = tokenizer.quant_embed(self.encoder.prefill(tokenizer.embed(x), None)) > 0
        return pack_bits(bits[..., : tokenizer.s1_bits]), pack_bits(bits[..., tokenizer.s1_bits :])

    def prefill(self, s1: Tensor, s2: Tensor, cache: KVCache) -> None:
        """Put histories of equal length, ids (S, P), into `cache`."""
        self.decoder.prefill(self._embed(s1, s2), cache)

    def decode(self, s1: Tensor, s2: Tensor, cache: KVCache) -> Tensor:
        """Return normalised candles (R, M, 6) of ids (R, M) after the histories in `cache`."""
        out: Tensor = self.tokenizer.head(self.decoder.extend(self._embed(s1, s2), cache))
        return out

    def allocate(self, lengths: Iterable[int], samples: int, capacity: int) -> KVCache:
        """Return an empty cache for histories of `lengths`."""
        like = self.tokenizer.head.weight
        return KVCache.allocate(self.decoder.heads, list(lengths), samples, capacity, like)

    def _embed(self, s1: Tensor, s2: Tensor) -> Tensor:
        embedded: Tensor = self.tokenizer.post_quant_embed(self.tokenizer.indices_to_bits((s1, s2), half=True))
        return embedded
