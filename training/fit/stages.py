"""The losses and validations of the two stages, tokenizer and predictor.

A step's loss is that of all its windows together, over all processes and parts of a batch: each part computes its
share, and the shares (and their gradients) add up, exactly but for the order of sums. Dropout differs between parts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.candles import CLOSE, HIGH, LOW, OPEN, PRICES, VOLUME
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.fit.distributed import World
from training.fit.tokens import TokenCache
from training.fit.windows import Batch
from training.run.config import ReconstructionConfig, StageName

Inputs = tuple[Tensor, ...]
Seed = Callable[[int], None]  # seeds the dropout of a part
STILL = 1e-4  # smallest variance of moves of a window, in normalized units
MARGIN = 0.05  # of a move, or of the mean volume: a candle must be valid by this much to have no shape loss
SIDE = 16  # candles on each side of a move that define its local variance
CALM = 0.1  # smallest local variance, as a share of the window's


class TokenizerStage:
    """Reconstruction of every candle of a window, from the coarse token and from both.

    `objective` is the module around the network that computes a part's share of the loss, of `inputs` and `whole`:
    inputs are of a part's windows, `whole` is of all windows of a step.
    """

    name: StageName = "tokenizer"

    def __init__(self, module: KronosTokenizer, weights: ReconstructionConfig) -> None:
        self.module = module
        self.objective = _Reconstruction(module, weights)

    def inputs(self, batch: Batch) -> Inputs:
        """Return candles, scale and shift."""
        device = _device(self.module)
        return batch.x.to(device), batch.scale.to(device), batch.shift.to(device)

    def whole(self, parts: Sequence[Inputs], world: World, seed: Seed) -> Inputs:
        """Return the number of windows and, with several parts or processes, probabilities and correlations of bits.

        The code's entropy and the correlations are those of means over all windows, so they are computed before the
        first part's loss. One process without accumulation needs no such pass through the encoder.
        """
        device = _device(self.module)
        count = world.sum(torch.tensor(float(sum(len(x) for x, *_ in parts)))).to(device)
        if world.size == 1 and len(parts) == 1:
            return (count,)
        bits = self.module.codebook_dim
        chances, products = torch.zeros(bits, device=device), torch.zeros(bits, bits, device=device)
        with torch.no_grad():
            for index, (x, *_) in enumerate(parts):
                seed(index)  # the encoder runs first, so it drops out the same values as in the loss
                z = self.module.unrounded(x).float()
                chances += self.module.tokenizer.bsq.chances(z) * len(x)
                products += _bit_products(torch.where(z > 0, 1.0, -1.0)) * len(x)
        return count, world.sum(chances) / count, world.sum(products) / count

    @torch.no_grad()
    def measure(self, batch: Batch | None) -> Tensor:
        """Return sums over windows, float64 on the CPU; of None: zeros.

        They are windows, their errors (full, coarse), candles, invalid ones, squares of moves and of their errors, and
        the counts of each coarse code.
        """
        codes = 2**self.module.s1_bits
        if batch is None:
            return torch.zeros(7 + codes, dtype=torch.float64)
        x, scale, shift = self.inputs(batch)
        (coarse, full), _, _, ids = self.module(x)
        full = full.float()
        moves, decoded = (y[..., CLOSE].diff(dim=1) for y in (x, full))
        prices, traded = _violations(full, scale, shift)
        has_volume = shift[:, None, VOLUME:] > 0  # a forecast ignores the rest
        invalid = (prices > 0).any(-1) | ((traded > 0) & has_volume).any(-1)
        sums = [
            torch.tensor(float(len(x))),
            *(self.objective.error(y, x, scale, shift) * len(x) for y in (full, coarse.float())),
            torch.tensor(float(invalid.numel())),
            invalid.sum(),
            moves.pow(2).sum(),
            (decoded - moves).pow(2).sum(),
        ]
        used = torch.bincount((ids % codes).flatten(), minlength=codes)
        return torch.cat([torch.stack([s.double().cpu() for s in sums]), used.cpu().double()])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return the sums over all validation windows as means; `loss` selects the best checkpoint.

        `move_error` is that of close-to-close moves over their variance, `impossible` the share of candles whose
        decoded high or low lies inside their body, or whose volume or amount is below zero.
        """
        windows, full, coarse, candles, invalid, signal, noise = sums[:7].tolist()
        used = sums[7:]
        share = used[used > 0] / used.sum()
        return {
            "loss": full / windows,
            "coarse_error": coarse / windows,
            "move_error": noise / signal if signal else 0.0,
            "impossible": invalid / candles,
            "coarse_codes": float((used > 0).sum()),
            "coarse_perplexity": float((-(share * share.log()).sum()).exp()),
        }


class PredictorStage:
    """The next pair of tokens, at the candles after the history that normalizes the window.

    `tokens` supplies those of training windows, `held_out` those of validation windows.
    """

    name: StageName = "predictor"

    def __init__(self, module: Kronos, tokens: TokenCache, held_out: TokenCache) -> None:
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
        """Return the number of places and the sums of their causal cross-entropies, as in generation."""
        if batch is None:
            return torch.zeros(3, dtype=torch.float64)
        inputs = self._inputs(batch, self._held_out)
        s1_loss, s2_loss = cross_entropies(self.module, *inputs)
        sums = (s.cpu().double() for s in (s1_loss, s2_loss))
        return torch.stack([torch.tensor(float(len(inputs[-1])), dtype=torch.float64), *sums])

    def figures(self, sums: Tensor) -> dict[str, float]:
        """Return the mean cross-entropies, in nats per token."""
        places, s1, s2 = sums.tolist()
        return {"loss": (s1 + s2) / 2 / places, "s1_loss": s1 / places, "s2_loss": s2 / places}

    def _inputs(self, batch: Batch, source: TokenCache) -> Inputs:
        device = _device(self.module)
        s1, s2 = source.tokens(batch)
        return s1.to(device), s2.to(device), batch.stamp.to(device), _places(batch).to(device)


Stage = TokenizerStage | PredictorStage


class _Reconstruction(nn.Module):
    """Share of (error of coarse + error of full + quantizer loss + correlations of bits) / 2, with their weights."""

    weights: Tensor

    def __init__(self, module: KronosTokenizer, config: ReconstructionConfig) -> None:
        super().__init__()
        self.module, self.config = module, config
        weights = torch.tensor(config.weights)
        self.register_buffer("weights", (weights / weights.mean()).to(_device(module)), persistent=False)

    def forward(
        self,
        x: Tensor,
        scale: Tensor,
        shift: Tensor,
        count: Tensor,
        chances: Tensor | None = None,
        products: Tensor | None = None,
    ) -> Tensor:
        (coarse, full), quantizer, code, _ = self.module(x, chances)
        errors = [self.error(y.float(), x, scale, shift) for y in (coarse, full)]
        loss: Tensor = self.config.coarse * errors[0] + errors[1] + quantizer
        if self.config.bits:
            own = _bit_products(code.float() * math.sqrt(code.shape[-1]))
            known = own if products is None else products + (own - own.detach())  # value of all, gradient of these
            loss = loss + self.config.bits * (known - torch.diag(known.diag())).pow(2).mean()
        return loss / 2 * (len(x) / count)

    def error(self, y: Tensor, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return the mean error over windows of reconstructions `y` of candles `x` (B, T, 6).

        The squared error of levels hardly depends on moves, which a forecast consists of. So errors of moves count in
        units of the local variance: noise that would vanish in a volatile hour dominates a calm one.
        """
        error = ((y - x).pow(2) * self.weights).mean()
        if not (self.config.moves or self.config.shape):
            return error
        squares = x[..., CLOSE].diff(dim=1).pow(2)
        variance = squares.mean(1, keepdim=True).clamp_min(STILL)
        local = torch.maximum(_local_mean(squares), CALM * variance)
        move_error = (_moves(y) - _moves(x)).pow(2).mean(-1) / local
        move = (variance.sqrt() * scale[:, CLOSE, None]).clamp_min(math.sqrt(STILL))
        prices, traded = _violations(y, scale, shift)
        shape = F.relu(prices / move[..., None] + MARGIN) + F.relu(traded + MARGIN * shift[:, None, VOLUME:])
        out: Tensor = error + self.config.moves * move_error.mean() + self.config.shape * shape.sum(-1).mean()
        return out


def _local_mean(squares: Tensor) -> Tensor:
    """Return the mean (B, T) of `squares` over each candle and those on both sides."""
    return F.avg_pool1d(squares, 2 * SIDE + 1, stride=1, padding=SIDE, count_include_pad=False)


def _bit_products(signs: Tensor) -> Tensor:
    """Return the mean products (bits, bits) of each two signs of codes (B, T, bits)."""
    flat = signs.flatten(0, 1)
    return flat.T @ flat / len(flat)


def _violations(y: Tensor, scale: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much high and low, and volume and amount, of candles `y` (B, T, 6) are invalid, (B, T, 2) each.

    Values above zero are invalid. See `Batch.scale` and `shift` (B, 6): with high and close normalized separately, a
    high above the close may still be decoded below it.
    """
    real = y * scale[:, None] + shift[:, None]
    body = real[..., [OPEN, CLOSE]]
    prices = torch.stack([body.amax(-1) - real[..., HIGH], real[..., LOW] - body.amin(-1)], dim=-1)
    return prices, -real[..., VOLUME:]


def _moves(x: Tensor) -> Tensor:
    """Return the prices (B, T - 1, 4) of all candles but the first, minus the close before."""
    return x[:, 1:, : len(PRICES)] - x[:, :-1, CLOSE : CLOSE + 1]


class _NextTokens(nn.Module):
    """Share of the mean of the coarse and the fine cross-entropy, in nats per token."""

    def __init__(self, module: Kronos) -> None:
        super().__init__()
        self.module = module

    def forward(self, s1: Tensor, s2: Tensor, stamp: Tensor, places: Tensor, count: Tensor) -> Tensor:
        s1_loss, s2_loss = cross_entropies(self.module, s1, s2, stamp, places)
        return (s1_loss + s2_loss) / 2 / count


def _places(batch: Batch) -> Tensor:
    """Return the places of learned tokens, int64 (N,): row x (T - 1) + position of the candle before."""
    return batch.after[:, 1:].flatten().nonzero().squeeze(1)


def cross_entropies(module: Kronos, s1: Tensor, s2: Tensor, stamp: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sums over `places` (N,) of the coarse and of the fine cross-entropy of tokens (B, T).

    They are those of `Kronos.causal_logits`, as in generation, while `forward` rotates the cross-attention. Heads and
    queries of the cross-attention are computed only for the places.
    """
    context = _context(module, s1[:, :-1], s2[:, :-1], stamp[:, :-1])  # (B, T - 1, D)
    length = context.shape[1]
    first = int((places % length).min())
    late = places // length * (length - first) + places % length - first  # the same places, counted from `first`
    s1_next, s2_next = (ids[:, 1:].flatten()[places] for ids in (s1, s2))
    known = context.flatten(0, 1).index_select(0, places)  # (N, D)
    coarse = module.embedding.emb_s1(s1[:, 1 + first :])
    attended = module.dep_layer.cross_attn(coarse, context, causal=True, rotate=False)
    fine = module.dep_layer.norm(known + attended.flatten(0, 1).index_select(0, late))
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
