"""The two things there are to train: what a step's loss is, and what says whether it got better."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.candles import CLOSE
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.windows import Batch


class Stage(Protocol):
    """A network with its loss and its validation."""

    @property
    def module(self) -> KronosTokenizer | Kronos:
        """Return the network."""

    def compile(self) -> None:
        """Compile the network's forward pass."""

    def loss(self, batch: Batch) -> Tensor:
        """Return the scalar to descend on."""

    def validate(self, batches: list[Batch]) -> dict[str, float]:
        """Return figures on unseen windows; `loss` is the one a checkpoint is chosen by."""


class TokenizerStage:
    """Reconstruction of every candle of a window, from the coarse token and from both."""

    def __init__(self, module: KronosTokenizer) -> None:
        self.module = module

    def compile(self) -> None:
        """Compile the reconstruction."""
        self.module.compile()

    def loss(self, batch: Batch) -> Tensor:
        """Return (mse of coarse + mse of full + quantizer loss) / 2."""
        (coarse, full), quantizer, _, _ = self.module(batch.x)
        total: Tensor = (F.mse_loss(coarse, batch.x) + F.mse_loss(full, batch.x) + quantizer) / 2
        return total

    @torch.inference_mode()
    def validate(self, batches: list[Batch]) -> dict[str, float]:
        """Return reconstruction errors, the error of close-to-close moves over their variance, and the codes in use."""
        coarse_error, full_error, noise, signal = 0.0, 0.0, 0.0, 0.0
        codes: list[Tensor] = []
        for batch in batches:
            (coarse, full), _, _, ids = self.module(batch.x)
            coarse_error += F.mse_loss(coarse, batch.x).item() / len(batches)
            full_error += F.mse_loss(full, batch.x).item() / len(batches)
            moves, decoded = (x[..., CLOSE].diff(dim=1) for x in (batch.x, full))
            noise += (decoded - moves).pow(2).sum().item()
            signal += moves.pow(2).sum().item()
            codes.append(ids % 2**self.module.s1_bits)
        used = torch.bincount(torch.cat(codes).flatten(), minlength=2**self.module.s1_bits).float()
        share = used[used > 0] / used.sum()
        return {
            "loss": full_error,
            "coarse_mse": coarse_error,
            "move_error": noise / signal,
            "coarse_codes": float((used > 0).sum()),
            "coarse_perplexity": float((-(share * share.log()).sum()).exp()),
        }


class PredictorStage:
    """The next pair of tokens, at the candles after the history that the window was normalised by."""

    def __init__(self, module: Kronos, tokenizer: KronosTokenizer) -> None:
        self.module = module
        self.tokenizer = tokenizer.eval().requires_grad_(False)
        self._logits = module.causal_logits  # learned as it is generated: `forward` would rotate the cross-attention

    def compile(self) -> None:
        """Compile the logits."""
        self._logits = torch.compile(self._logits)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean of the coarse and the fine cross-entropy, in nats a token."""
        return self._losses(batch)[0]

    @torch.inference_mode()
    def validate(self, batches: list[Batch]) -> dict[str, float]:
        """Return the causal losses, as generation would meet them."""
        losses = torch.stack([torch.stack(self._losses(batch)) for batch in batches]).mean(0)
        return dict(zip(("loss", "s1_loss", "s2_loss"), losses.tolist(), strict=True))

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        with torch.no_grad():
            s1, s2 = self.tokenizer.encode(batch.x, half=True)
        targets = s1[:, 1:]
        s1_logits, s2_logits = self._logits(s1[:, :-1], s2[:, :-1], batch.stamp[:, :-1], targets)
        ignore = ~batch.after[:, 1:]
        return self.module.head.compute_loss(s1_logits, s2_logits, targets, s2[:, 1:], padding_mask=ignore)
