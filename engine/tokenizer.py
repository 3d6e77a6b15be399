"""The tokenizer: an autoencoder of candles whose code is binary, split into a coarse and a fine token.

Shapes: B rows, T positions, d_in = 6 features, bits = s1_bits + s2_bits.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from engine.config import TokenizerConfig
from engine.layers import build_blocks
from engine.loading.pretrained import PretrainedModule
from engine.quantizer import BinarySphericalQuantizer, pack_bits, unpack_bits


class _Bottleneck(nn.Module):
    """Gives the quantizer its published name, `tokenizer.bsq`."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.bsq = BinarySphericalQuantizer(config)


class KronosTokenizer(PretrainedModule[TokenizerConfig]):
    """Converts candles to tokens and back (arXiv:2508.02739, section 3.1).

    Parameters: the fields of `TokenizerConfig`, in their order.
    """

    config_class = TokenizerConfig

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__()
        self.config = c = TokenizerConfig(*values, **fields)
        self.s1_bits, self.s2_bits, self.codebook_dim = c.s1_bits, c.s2_bits, c.bits
        self.embed = nn.Linear(c.d_in, c.d_model)
        # The published checkpoints hold one block fewer than their config says.
        self.encoder = build_blocks(c, c.n_enc_layers - 1)
        self.decoder = build_blocks(c, c.n_dec_layers - 1)
        self.quant_embed = nn.Linear(c.d_model, c.bits)
        self.post_quant_embed_pre = nn.Linear(c.s1_bits, c.d_model)
        self.post_quant_embed = nn.Linear(c.bits, c.d_model)
        self.tokenizer = _Bottleneck(c)
        self.head = nn.Linear(c.d_model, c.d_in)

    def forward(self, x: Tensor, chances: Tensor | None = None) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor, Tensor]:
        """Reconstruct normalised candles `x` (B, T, d_in) twice: from the coarse token, and from both.

        Parameters
        ----------
        chances
            The quantizer's `chances` of all candles of a training step, if `x` holds only a part of them.

        Returns
        -------
        ((coarse, full), bsq_loss, code, ids)
            Reconstructions (B, T, d_in), a scalar, the scaled code (B, T, bits) and whole ids (B, T).
        """
        code, loss = self.tokenizer.bsq(self.unrounded(x), chances)
        coarse = self._decode(self.post_quant_embed_pre(code[..., : self.s1_bits]))
        full = self._decode(self.post_quant_embed(code))
        return (coarse, full), loss, code, pack_bits(code > 0)

    def unrounded(self, x: Tensor) -> Tensor:
        """Return the vectors (B, T, bits) whose signs are the code of normalised candles `x` (B, T, d_in)."""
        x = self.embed(x)
        for block in self.encoder:
            x = block(x)
        out: Tensor = self.quant_embed(x)
        return out

    def encode(self, x: Tensor, half: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        """Return the tokens of normalised candles `x` (B, T, d_in).

        Parameters
        ----------
        half
            True returns the pair (coarse ids, fine ids), each (B, T); False the whole ids (B, T).
        """
        bits = nn.functional.normalize(self.unrounded(x), dim=-1) > 0
        if half:
            return pack_bits(bits[..., : self.s1_bits]), pack_bits(bits[..., self.s1_bits :])
        return pack_bits(bits)

    def decode(self, x: Tensor | tuple[Tensor, Tensor] | list[Tensor], half: bool = False) -> Tensor:
        """Return normalised candles (B, T, d_in) of whole ids, or with `half` of a pair of coarse and fine ids."""
        code = self.indices_to_bits(x, half)
        return self._decode(self.post_quant_embed(code))

    def indices_to_bits(self, x: Tensor | tuple[Tensor, Tensor] | list[Tensor], half: bool = False) -> Tensor:
        """Return the scaled code (B, T, bits) of ids: -1 or +1, divided by the root of the number of bits."""
        if half:
            bits = torch.cat((unpack_bits(x[0], self.s1_bits), unpack_bits(x[1], self.s2_bits)), dim=-1)
        else:
            assert isinstance(x, Tensor), "whole ids are one tensor; pass half=True for a pair"
            bits = unpack_bits(x, self.codebook_dim)
        signs = bits.to(self.head.weight.dtype) * 2 - 1
        return signs / math.sqrt(self.codebook_dim)

    def _decode(self, x: Tensor) -> Tensor:
        for block in self.decoder:
            x = block(x)
        out: Tensor = self.head(x)
        return out
