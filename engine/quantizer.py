"""Binary spherical quantization (arXiv:2406.07548): a unit vector becomes the signs of its coordinates."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.config import TokenizerConfig

LOG_FLOOR = 1e-8


def pack_bits(bits: Tensor) -> Tensor:
    """Return ids (...) of `bits` (..., n), lowest bit first."""
    weights = 2 ** torch.arange(bits.shape[-1], device=bits.device, dtype=torch.int64)
    return (bits.to(torch.int64) * weights).sum(-1)


def unpack_bits(ids: Tensor, n: int) -> Tensor:
    """Return the `n` bits (..., n) of `ids` (...) as booleans, lowest bit first."""
    return (ids.unsqueeze(-1) >> torch.arange(n, device=ids.device)) & 1 == 1


def binary_entropy(p: Tensor) -> Tensor:
    """Return the entropy, in nats, of Bernoulli variables with probability `p`."""
    return -(p * (p + LOG_FLOOR).log() + (1 - p) * (1 - p + LOG_FLOOR).log())


class BinarySphericalQuantizer(nn.Module):
    """Signs of a unit vector, with straight-through gradients and the entropy-regularised commitment loss."""

    basis: Tensor
    group_basis: Tensor

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        # Two fixed tables of the published checkpoints, which are only loaded and saved.
        self.register_buffer("basis", 2 ** torch.arange(config.bits - 1, -1, -1))
        self.register_buffer("group_basis", 2 ** torch.arange(config.group_size - 1, -1, -1))

    def forward(self, z: Tensor, chances: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the code of `z` (B, T, bits), scaled to unit length, and the loss of rounding it.

        Parameters
        ----------
        chances
            The detached `chances` of a whole batch of which `z` is a part. The losses of the parts, weighted by their
            sizes, then add up to the loss of the whole, and so do their gradients.
        """
        z = F.normalize(z, dim=-1)
        hard = torch.where(z > 0, 1.0, -1.0).to(z.dtype)
        code = (z + (hard - z).detach()) * self.config.bits**-0.5
        return code, self._loss(z, code.detach(), chances)

    def chances(self, z: Tensor) -> Tensor:
        """Return the mean probability (bits,) that each bit of `z` (B, T, bits) is 0, for the entropy of the code."""
        return self._probabilities(F.normalize(z, dim=-1)).flatten(0, -2).mean(0)  # (B x T, bits) -> (bits,)

    def _probabilities(self, z: Tensor) -> Tensor:
        return torch.sigmoid(-4 * z * self.config.bits**-0.5)

    def _loss(self, z: Tensor, code: Tensor, chances: Tensor | None) -> Tensor:
        c = self.config
        commitment = (code - z).pow(2).sum(-1).mean()
        p = self._probabilities(z)
        per_sample = binary_entropy(p).sum(-1).mean()
        mean = p.flatten(0, -2).mean(0)  # (B x T, bits) -> (bits,)
        if chances is not None:
            mean = chances + (mean - mean.detach())  # the value of the whole, the gradient of this part
        per_code = binary_entropy(mean).sum()
        return c.beta * commitment + c.zeta * (c.gamma0 * per_sample - c.gamma * per_code)
