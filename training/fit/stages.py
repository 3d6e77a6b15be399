"""The two things there are to train: what a step's loss is, and what says whether it got better.

A step's loss is that of all its windows together, however many processes and parts they are dealt out to: each part
gives its share of it, and the shares (and their gradients) add up. Exactly so, but for the order of sums, where nothing
is dropped out; dropout falls differently in each part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.candles import CLOSE, HIGH, LOW, OPEN, PRICES, VOLUME
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.fit.distributed import World
from training.fit.windows import Batch
from training.run.config import ReconstructionConfig, StageName

Inputs = tuple[Tensor, ...]
Seed = Callable[[int], None]  # seeds the dropout of a part
STILL = 1e-4  # variance of moves, in normalised units, below which a window counts as having that
MARGIN = 0.05  # of a move, or of the mean volume: by how much a candle must be possible before its shape costs nothing
SIDE = 16  # candles on each side of a move, among which it is large or small
CALM = 0.1  # of a window's variance of moves: what its calmest stretches count as having, at least


class Stage(Protocol):
    """A network with its loss and its validation."""

    name: StageName

    @property
    def module(self) -> Kronos | KronosTokenizer:
        """Return the network."""

    @property
    def objective(self) -> nn.Module:
        """Return the module that gives a part's share of the loss, of `inputs` and `whole`; it holds the network."""

    def inputs(self, batch: Batch) -> Inputs:
        """Return what the objective takes of some windows, on the network's device."""

    def whole(self, parts: Sequence[Inputs], world: World, seed: Seed) -> Inputs:
        """Return what the objective must know of all windows of a step, of which `parts` are this process's."""

    def measure(self, batch: Batch | None) -> Tensor:
        """Return sums over held-out windows, float64 on the CPU; of no windows: zeros."""

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return what the sums over all held-out windows say; `loss` is what a checkpoint is chosen by."""


class Tokens(Protocol):
    """Where the tokens of windows come from, such as a TokenCache."""

    def tokens(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return coarse and fine tokens, int64 (B, T)."""


class TokenizerStage:
    """Reconstruction of every candle of a window, from the coarse token and from both."""

    name: StageName = "tokenizer"

    def __init__(self, module: KronosTokenizer, weighing: ReconstructionConfig) -> None:
        self.module = module
        self.objective = _Reconstruction(module, weighing)

    def inputs(self, batch: Batch) -> Inputs:
        """Return candles, and what makes their prices comparable."""
        device = _device(self.module)
        return batch.x.to(device), batch.scale.to(device), batch.shift.to(device)

    def whole(self, parts: Sequence[Inputs], world: World, seed: Seed) -> Inputs:
        """Return the number of windows and, where these are dealt out, chances and correlations of bits over all.

        The entropy of the code is that of a mean over all windows, and so are the correlations: these must be known
        before the first part's loss is. One process without accumulation needs no such pass through the encoder.
        """
        count = world.sum(torch.tensor(float(sum(len(x) for x, *_ in parts)))).to(_device(self.module))
        if world.size == 1 and len(parts) == 1:
            return (count,)
        bits = self.module.codebook_dim
        chances, together = (torch.zeros(*size, device=_device(self.module)) for size in ((bits,), (bits, bits)))
        with torch.no_grad():
            for index, (x, *_) in enumerate(parts):
                seed(index)  # the encoder drops out first, hence what it will drop out when the loss is taken
                z = self.module.unrounded(x).float()
                chances += self.module.tokenizer.bsq.chances(z) * len(x)
                together += _together(torch.where(z > 0, 1.0, -1.0)) * len(x)
        return count, world.sum(chances) / count, world.sum(together) / count

    @torch.no_grad()
    def measure(self, batch: Batch | None) -> Tensor:
        """Return windows, their errors (full, coarse), candles, impossible ones, squares of moves and of their errors.

        Behind them comes how often each coarse code was used.
        """
        codes = 2**self.module.s1_bits
        if batch is None:
            return torch.zeros(7 + codes, dtype=torch.float64)
        x, scale, shift = self.inputs(batch)
        (coarse, full), _, _, ids = self.module(x)
        full = full.float()
        moves, decoded = (y[..., CLOSE].diff(dim=1) for y in (x, full))
        prices, traded = _lacks(full, scale, shift)
        has_volume = shift[:, None, VOLUME:] > 0  # nothing is asked of what a forecast leaves out
        impossible = (prices > 0).any(-1) | ((traded > 0) & has_volume).any(-1)
        sums = [
            torch.tensor(float(len(x))),
            *(self.objective.error(y, x, scale, shift) * len(x) for y in (full, coarse.float())),
            torch.tensor(float(impossible.numel())),
            impossible.sum(),
            moves.pow(2).sum(),
            (decoded - moves).pow(2).sum(),
        ]
        used = torch.bincount((ids % codes).flatten(), minlength=codes)
        return torch.cat([torch.stack([s.double().cpu() for s in sums]), used.cpu().double()])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return what was measured, as means.

        `move_error` is that of close-to-close moves over their variance, `impossible` the share of candles
        whose decoded high or low lies inside their body, or whose volume or amount is below zero.
        """
        windows, full, coarse, candles, impossible, signal, noise = sums[:7].tolist()
        used = sums[7:]
        share = used[used > 0] / used.sum()
        return {
            "loss": full / windows,
            "coarse_error": coarse / windows,
            "move_error": noise / signal if signal else 0.0,
            "impossible": impossible / candles,
            "coarse_codes": float((used > 0).sum()),
            "coarse_perplexity": float((-(share * share.log()).sum()).exp()),
        }


class PredictorStage:
    """The next pair of tokens, at the candles after the history that the window was normalised by.

    Parameters
    ----------
    tokens, held_out
        Tokens of the windows to learn from, and of those to validate with.
    """

    name: StageName = "predictor"

    def __init__(self, module: Kronos, tokens: Tokens, held_out: Tokens) -> None:
        self.module = module
        self.objective = _NextTokens(module)
        self._tokens, self._held_out = tokens, held_out

    def inputs(self, batch: Batch) -> Inputs:
        """Return tokens (B, T), time marks and the places that are learned, see `_places`."""
        return self._inputs(batch, self._tokens)

    def whole(self, parts: Sequence[Inputs], world: World, seed: Seed) -> Inputs:
        """Return the number of places that are learned."""
        count = world.sum(torch.tensor(float(sum(len(places) for *_, places in parts))))
        return (count.to(_device(self.module)),)

    @torch.no_grad()
    def measure(self, batch: Batch | None) -> Tensor:
        """Return places, and the sums of the causal cross-entropies there, as generation would meet them."""
        if batch is None:
            return torch.zeros(3, dtype=torch.float64)
        inputs = self._inputs(batch, self._held_out)
        s1_loss, s2_loss = cross_entropies(self.module, *inputs)
        sums = (s.cpu().double() for s in (s1_loss, s2_loss))
        return torch.stack([torch.tensor(float(len(inputs[-1])), dtype=torch.float64), *sums])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return the mean cross-entropies, in nats a token."""
        places, s1, s2 = sums.tolist()
        return {"loss": (s1 + s2) / 2 / places, "s1_loss": s1 / places, "s2_loss": s2 / places}

    def _inputs(self, batch: Batch, source: Tokens) -> Inputs:
        device = _device(self.module)
        s1, s2 = source.tokens(batch)
        return s1.to(device), s2.to(device), batch.stamp.to(device), _places(batch).to(device)


class _Reconstruction(nn.Module):
    """Share of (error of coarse + error of full + quantizer loss + correlations of bits) / 2, as they are weighed."""

    weights: Tensor

    def __init__(self, module: KronosTokenizer, weighing: ReconstructionConfig) -> None:
        super().__init__()
        self.module, self.weighing = module, weighing
        weights = torch.tensor(weighing.weights)
        self.register_buffer("weights", (weights / weights.mean()).to(_device(module)), persistent=False)

    def forward(
        self,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        count: Tensor,
        chances: Tensor | None = None,
        together: Tensor | None = None,
    ) -> Tensor:
        (coarse, full), quantizer, code, _ = self.module(x, chances)
        errors = [self.error(y.float(), x, scale, shift) for y in (coarse, full)]
        loss: Tensor = self.weighing.coarse * errors[0] + errors[1] + quantizer
        if self.weighing.bits:
            here = _together(code.float() * math.sqrt(code.shape[-1]))
            known = here if together is None else together + (here - here.detach())  # value of all, gradient of these
            loss = loss + self.weighing.bits * (known - torch.diag(known.diag())).pow(2).mean()
        return loss / 2 * (len(x) / count)

    def error(self, y: Tensor, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return the mean over windows of what reconstructions `y` of candles `x` (B, T, 6) lack.

        Where a price stands in its window says little about how far it moves from one candle to the next, which is what
        a forecast is made of; so errors of moves count too, in units of the moves around them: noise that a wild hour
        would hide is all that is seen of a calm one.
        """
        error = ((y - x).pow(2) * self.weights).mean()
        if not (self.weighing.moves or self.weighing.shape):
            return error
        squares = x[..., CLOSE].diff(dim=1).pow(2)
        variance = squares.mean(1, keepdim=True).clamp_min(STILL)
        around = torch.maximum(_around(squares), CALM * variance)
        missed = (_moves(y) - _moves(x)).pow(2).mean(-1) / around
        move = (variance.sqrt() * scale[:, CLOSE, None]).clamp_min(math.sqrt(STILL))
        prices, traded = _lacks(y, scale, shift)
        short = F.relu(prices / move[..., None] + MARGIN) + F.relu(traded + MARGIN * shift[:, None, VOLUME:])
        out: Tensor = error + self.weighing.moves * missed.mean() + self.weighing.shape * short.sum(-1).mean()
        return out


def _around(squares: Tensor) -> Tensor:
    """Return the mean (B, T) of `squares` over the candles on both sides of each, and itself."""
    return F.avg_pool1d(squares, 2 * SIDE + 1, stride=1, padding=SIDE, count_include_pad=False)


def _together(signs: Tensor) -> Tensor:
    """Return the mean products (bits, bits) of each two of the signs of codes (B, T, bits)."""
    flat = signs.flatten(0, 1)
    return flat.T @ flat / len(flat)


def _lacks(y: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Return what high and low, and volume and amount, of candles `y` (B, T, 6) lack to be possible, (B, T, 2) each.

    See `Batch.scale` and `shift` (B, 6): where high and close are normalised each by its own statistics, a high that
    lies above the close may still turn out below it. What lacks nothing is at or below zero.
    """
    real = y * scale[:, None] + shift[:, None]
    body = real[..., [OPEN, CLOSE]]
    prices = torch.stack([body.amax(-1) - real[..., HIGH], real[..., LOW] - body.amin(-1)], dim=-1)
    return prices, -real[..., VOLUME:]


def _moves(x: Tensor) -> Tensor:
    """Return the prices (B, T - 1, 4) of all candles but the first, less the close before."""
    return x[:, 1:, : len(PRICES)] - x[:, :-1, CLOSE : CLOSE + 1]


class _NextTokens(nn.Module):
    """Share of the mean of the coarse and the fine cross-entropy, in nats a token."""

    def __init__(self, module: Kronos) -> None:
        super().__init__()
        self.module = module

    def forward(self, s1: Tensor, s2: Tensor, stamp: Tensor, places: Tensor, count: Tensor) -> Tensor:
        s1_loss, s2_loss = cross_entropies(self.module, s1, s2, stamp, places)
        return (s1_loss + s2_loss) / 2 / count


def _places(batch: Batch) -> Tensor:
    """Return where tokens are learned, int64 (N,): row x (T - 1) + position of the candle before."""
    return batch.after[:, 1:].flatten().nonzero().squeeze(1)


def cross_entropies(module: Kronos, s1: Tensor, s2: Tensor, stamp: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums over `places` (N,) of the coarse and of the fine cross-entropy of tokens (B, T).

    They are those of `Kronos.causal_logits`: learned as it is generated, where `forward` would rotate the
    cross-attention. Heads and the queries of the cross-attention are computed only where there is something to learn.
    """
    context = _context(module, s1[:, :-1], s2[:, :-1], stamp[:, :-1])  # (B, T - 1, D)
    length = context.shape[1]
    first = int((places % length).min())
    late = places // length * (length - first) + places % length - first  # the same places from `first` on
    s1_next, s2_next = (ids[:, 1:].flatten()[places] for ids in (s1, s2))
    known = context.flatten(0, 1).index_select(0, places)  # (N, D)
    given = module.embedding.emb_s1(s1[:, 1 + first :])
    found = module.dep_layer.cross_attn(given, context, causal=True, rotate=False)
    fine = module.dep_layer.norm(known + found.flatten(0, 1).index_select(0, late))
    s1_loss = F.cross_entropy(module.head.proj_s1(known).float(), s1_next, reduction="sum")
    s2_loss = F.cross_entropy(module.head.proj_s2(fine).float(), s2_next, reduction="sum")
    return s1_loss, s2_loss


def _context(module: Kronos, s1: Tensor, s2: Tensor, stamp: Tensor) -> Tensor:
    x = module.token_drop(module.embedding(s1, s2) + module.time_emb(stamp))
    for block in module.transformer:
        x = block(x)
    out: Tensor = module.norm(x)
    return out


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
