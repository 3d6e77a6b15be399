"""The tokenizer: an autoencoder of candles whose bottleneck is a binary code, split into a coarse and a fine token."""

from __future__ import annotations

import math
from dataclasses import asdict

import torch
from torch import Tensor, nn

from engine.config import TokenizerConfig
from engine.layers import TransformerBlock
from engine.pretrained import CheckpointMixin
from engine.quantizer import BinarySphericalQuantizer, pack_bits, unpack_bits


class _Bottleneck(nn.Module):
    """Gives the quantizer its published name, `tokenizer.bsq`."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.bsq = BinarySphericalQuantizer(config)


class KronosTokenizer(nn.Module, CheckpointMixin):
    """Candles to tokens and back (arXiv:2508.02739, section 3.1).

    Parameters are the fields of `TokenizerConfig`, in the published order.
    """

    def __init__(
        self,
        d_in: int,
        d_model: int,
        n_heads: int,
        ff_dim: int,
        n_enc_layers: int,
        n_dec_layers: int,
        ffn_dropout_p: float,
        attn_dropout_p: float,
        resid_dropout_p: float,
        s1_bits: int,
        s2_bits: int,
        beta: float,
        gamma0: float,
        gamma: float,
        zeta: float,
        group_size: int,
        shared_deviation: bool = False,
    ) -> None:
        super().__init__()
        values = {name: value for name, value in locals().items() if name in TokenizerConfig.__dataclass_fields__}
        self.config = config = TokenizerConfig(**values)
        self.s1_bits, self.s2_bits, self.codebook_dim = config.s1_bits, config.s2_bits, config.bits
        self.embed = nn.Linear(config.d_in, config.d_model)
        # The published checkpoints hold one block fewer than their config says.
        self.encoder = _blocks(config, config.n_enc_layers - 1)
        self.decoder = _blocks(config, config.n_dec_layers - 1)
        self.quant_embed = nn.Linear(config.d_model, config.bits)
        self.post_quant_embed_pre = nn.Linear(config.s1_bits, config.d_model)
        self.post_quant_embed = nn.Linear(config.bits, config.d_model)
        self.tokenizer = _Bottleneck(config)
        self.head = nn.Linear(config.d_model, config.d_in)

    @classmethod
    def from_config(cls, config: TokenizerConfig) -> KronosTokenizer:
        """Build a tokenizer with fresh weights."""
        return cls(**asdict(config))

    def forward(self, x: Tensor, chances: Tensor | None = None) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor, Tensor]:
        """Reconstruct normalised candles `x` (B, T, d_in) twice, from the coarse token and from both.

        Parameters
        ----------
        chances
            What the quantizer's `chances` gives for all candles of a training step, where `x` are only some of them.

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
            True gives the pair (coarse ids, fine ids), each (B, T); False the whole ids (B, T).
        """
        bits = nn.functional.normalize(self.unrounded(x), dim=-1) > 0
        if half:
            return pack_bits(bits[..., : self.s1_bits]), pack_bits(bits[..., self.s1_bits :])
        return pack_bits(bits)

    def decode(self, x: Tensor | tuple[Tensor, Tensor] | list[Tensor], half: bool = False) -> Tensor:
        """Return normalised candles (B, T, d_in) of whole ids, or of a pair of coarse and fine ids with `half`."""
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


def _blocks(c: TokenizerConfig, count: int) -> nn.ModuleList:
    def block() -> TransformerBlock:
        return TransformerBlock(c.d_model, c.n_heads, c.ff_dim, c.ffn_dropout_p, c.attn_dropout_p, c.resid_dropout_p)

    return nn.ModuleList(block() for _ in range(count))
