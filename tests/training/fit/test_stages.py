"""The losses: where they are taken, that shares of a batch add up, and that validation never sees the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.candles import Normaliser
from engine.layers import CrossAttention
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.staging import CALM, make_stage, samplers
from training.fit.corpus import Corpus
from training.fit.distributed import World
from training.fit.stages import Stage, TokenizerStage, cross_entropies
from training.fit.windows import Batch, WindowSampler
from training.run.config import ReconstructionConfig, RunConfig, StageName

ALONE = World(0, 1, torch.device("cpu"))
STAGES: tuple[StageName, ...] = ("tokenizer", "predictor")


@pytest.fixture
def windows(corpus: Corpus, config: RunConfig) -> WindowSampler:
    return samplers(corpus, config)[0]


def seed(part: int) -> None:
    torch.manual_seed(part)


def shares(stage: Stage, windows: WindowSampler, numbers: np.ndarray, parts: int) -> list[Tensor]:
    """Return each part's share of the loss."""
    inputs = [stage.inputs(windows.batch(part)) for part in np.array_split(numbers, parts)]
    whole = stage.whole(inputs, ALONE, seed)
    return [(seed(index), stage.objective(*part, *whole))[1] for index, part in enumerate(inputs)]


def gradients(stage: Stage, loss: Tensor) -> dict[str, Tensor]:
    named = dict(stage.module.named_parameters())
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("parts", [2, 3])
def test_shares_of_parts_add_up_to_the_loss_of_the_whole(
    name: StageName, parts: int, corpus: Corpus, config: RunConfig, windows: WindowSampler
) -> None:
    stage = make_stage(name, corpus, config, **(CALM if name == "predictor" else {"zeta": 2.0}))
    numbers = windows.draw(0, 7)  # parts are of unequal size
    [whole] = shares(stage, windows, numbers, 1)
    divided = sum(shares(stage, windows, numbers, parts), torch.zeros(()))
    torch.testing.assert_close(divided, whole, atol=1e-6, rtol=0)
    wanted = gradients(stage, whole)
    for key, gradient in gradients(stage, sum(shares(stage, windows, numbers, parts), torch.zeros(()))).items():
        torch.testing.assert_close(gradient, wanted[key], atol=1e-6, rtol=1e-4)


def test_a_mean_over_parts_would_be_another_tokenizer_loss(
    corpus: Corpus, config: RunConfig, windows: WindowSampler
) -> None:
    stage = make_stage("tokenizer", corpus, config, zeta=2.0)
    numbers = windows.draw(0, 8)
    apart = [shares(stage, windows, part, 1)[0] for part in np.array_split(numbers, 2)]
    [whole] = shares(stage, windows, numbers, 1)
    assert abs(sum(apart) / 2 - whole) > 1e-4


def test_dropout_in_the_encoder_does_not_part_the_chances_from_the_loss(
    corpus: Corpus, config: RunConfig, windows: WindowSampler
) -> None:
    stage = make_stage("tokenizer", corpus, config, ffn_dropout_p=0.3, resid_dropout_p=0.3)
    numbers = windows.draw(0, 4)
    inputs = [stage.inputs(windows.batch(part)) for part in np.array_split(numbers, 2)]
    stage.module.train()
    seen: list[Tensor] = []
    count, chances, _ = stage.whole(inputs, ALONE, seed)
    handle = stage.module.quant_embed.register_forward_hook(lambda *found: seen.append(found[2]))
    for index, part in enumerate(inputs):
        torch.manual_seed(index)
        stage.objective(*part, count, chances)
    handle.remove()
    met = torch.stack([stage.module.tokenizer.bsq.chances(z) for z in seen]).mean(0)
    torch.testing.assert_close(met, chances)


def test_the_tokenizer_loss_is_the_published_one(corpus: Corpus, config: RunConfig, windows: WindowSampler) -> None:
    stage = make_stage("tokenizer", corpus, config)
    batch = windows.batch(windows.draw(0, 5))
    (coarse, full), quantizer, _, _ = stage.module(batch.x)
    [loss] = shares(stage, windows, batch.numbers, 1)
    torch.testing.assert_close(loss, (F.mse_loss(coarse, batch.x) + F.mse_loss(full, batch.x) + quantizer) / 2)


def reference(stage: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropies of the candles after each history, from logits at every position."""
    s1, s2 = stage._tokens.tokens(batch)
    s1_logits, s2_logits = stage.module.causal_logits(s1[:, :-1], s2[:, :-1], batch.stamp[:, :-1], s1[:, 1:])
    length = s1.shape[1]
    learned = [(row, t) for row in range(len(batch)) for t in range(length - 1) if t + 1 >= batch.prefix[row]]
    rows, places = (torch.tensor(x) for x in zip(*learned, strict=True))
    s1_loss = F.cross_entropy(s1_logits[rows, places], s1[rows, places + 1])
    return s1_loss, F.cross_entropy(s2_logits[rows, places], s2[rows, places + 1])


def test_the_predictor_learns_only_the_candles_after_the_history(
    corpus: Corpus, config: RunConfig, windows: WindowSampler
) -> None:
    stage = make_stage("predictor", corpus, config, **CALM)
    batch = windows.batch(windows.draw(0, 6))
    assert len(set(batch.prefix.tolist())) > 1
    s1_loss, s2_loss = reference(stage, batch)
    [loss] = shares(stage, windows, batch.numbers, 1)
    torch.testing.assert_close(loss, (s1_loss + s2_loss) / 2)
    ours = gradients(stage, loss)
    for key, gradient in gradients(stage, (s1_loss + s2_loss) / 2).items():
        torch.testing.assert_close(ours[key], gradient, atol=1e-6, rtol=1e-4)


def test_validation_is_the_causal_loss_over_all_windows_whatever_their_batches(
    corpus: Corpus, config: RunConfig
) -> None:
    stage = make_stage("predictor", corpus, config)
    stage.module.eval()
    held_out = samplers(corpus, config)[1]
    numbers = held_out.first_n(7)
    stage._tokens = stage._held_out  # type: ignore[attr-defined]
    s1_loss, s2_loss = reference(stage, held_out.batch(numbers))
    sums = stage.measure(None)
    for part in np.array_split(numbers, 3):
        sums += stage.measure(held_out.batch(part))
    figures = stage.figures(sums)
    assert figures["s1_loss"] == pytest.approx(s1_loss.item(), rel=1e-5)
    assert figures["s2_loss"] == pytest.approx(s2_loss.item(), rel=1e-5)
    assert figures["loss"] == pytest.approx((figures["s1_loss"] + figures["s2_loss"]) / 2)


def test_a_loss_does_not_depend_on_later_candles(corpus: Corpus, config: RunConfig, windows: WindowSampler) -> None:
    stage: Any = make_stage("predictor", corpus, config)
    stage.module.eval()  # where the published forward pass lets each position see the future
    batch = windows.batch(np.arange(4))
    s1, s2 = stage._tokens.tokens(batch)
    later = [torch.cat((ids[:, :-2], (ids[:, -2:] + 1) % 16), dim=1) for ids in (s1, s2)]
    rows, length = torch.arange(4)[:, None], s1.shape[1] - 1
    early = (rows * length + torch.arange(12, length - 2)).flatten()
    last = (rows * length + length - 1).flatten()
    for places, same in ((early, True), (last, False)):
        ours = torch.stack(cross_entropies(stage.module, s1, s2, batch.stamp, places))
        other = torch.stack(cross_entropies(stage.module, *later, batch.stamp, places))
        assert torch.equal(ours, other) is same


def test_queries_of_the_last_positions_find_what_all_queries_find_there() -> None:
    torch.manual_seed(0)
    attention = CrossAttention(16, 4)
    query, context = torch.randn(3, 9, 16), torch.randn(3, 9, 16)
    every = attention(query, context, causal=True, rotate=False)
    last = attention(query[:, 4:], context, causal=True, rotate=False)
    torch.testing.assert_close(last, every[:, 4:])


def restored(y: Tensor, batch: Batch, windows: WindowSampler) -> Tensor:
    """Return the raw candles of reconstructions `y` (B, T, 6); volume and amount are 0 where there are none."""
    values = np.stack([windows.corpus.values[row : row + y.shape[1]] for row in windows.rows(batch.numbers)])
    lost = windows.loses_volume(batch.numbers)
    values[lost, :, 4:] = 0.0
    history = np.arange(y.shape[1]) < batch.prefix.numpy()[:, None]
    raw = Normaliser.fit(values.astype(np.float64), history).invert(y.detach().numpy())
    raw[lost, :, 4:] = 0.0
    return torch.from_numpy(raw)


def test_the_tokenizer_is_validated_by_its_reconstruction(corpus: Corpus, config: RunConfig) -> None:
    stage = make_stage("tokenizer", corpus, config)
    assert isinstance(stage.module, KronosTokenizer)
    stage.module.eval()
    with torch.no_grad():  # some candles are to have a shape, and some less than no volume
        stage.module.head.weight.mul_(10)
        stage.module.head.bias.add_(torch.tensor([0.0, 6.0, -6.0, 0.0, -3.0, 0.0]))
    held_out = samplers(corpus, config)[1]
    batch = held_out.batch(held_out.first_n(6))
    (coarse, full), _, _, ids = stage.module(batch.x)
    parts = [stage.measure(held_out.batch(part)) for part in np.array_split(batch.numbers, 2)]
    figures = stage.figures(parts[0] + parts[1])
    assert figures["loss"] == pytest.approx(F.mse_loss(full, batch.x).item(), rel=1e-5)
    assert figures["coarse_error"] == pytest.approx(F.mse_loss(coarse, batch.x).item(), rel=1e-5)
    moves, decoded = batch.x[..., 3].diff(dim=1), full[..., 3].diff(dim=1)
    expected = ((decoded - moves).pow(2).sum() / moves.pow(2).sum()).item()
    assert figures["move_error"] == pytest.approx(expected, rel=1e-5)
    raw = restored(full, batch, held_out)
    inside = (raw[..., 1] < raw[..., [0, 3]].amax(-1)) | (raw[..., 2] > raw[..., [0, 3]].amin(-1))
    below = (raw[..., 4:] < 0).any(-1)
    assert (inside & ~below).any()
    assert (below & ~inside).any()
    assert figures["impossible"] == pytest.approx((inside | below).double().mean().item())
    used = np.bincount((ids % 16).flatten().numpy(), minlength=16)
    assert figures["coarse_codes"] == (used > 0).sum()
    share = used[used > 0] / used.sum()
    assert figures["coarse_perplexity"] == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-6)


def test_candles_that_never_move_can_be_validated() -> None:
    codes = torch.zeros(16, dtype=torch.float64)
    codes[3] = 4.0
    stage = TokenizerStage.__new__(TokenizerStage)  # figures need no network
    figures = stage.figures(torch.cat([torch.tensor([1.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0], dtype=torch.float64), codes]))
    assert (figures["move_error"], figures["coarse_codes"], figures["coarse_perplexity"]) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("name", STAGES)
def test_every_parameter_gets_a_gradient(
    name: StageName, corpus: Corpus, config: RunConfig, windows: WindowSampler
) -> None:
    stage = make_stage(name, corpus, config)  # processes that train together wait for each parameter's
    [loss] = shares(stage, windows, windows.draw(0, 4), 1)
    assert all(gradient is not None for gradient in gradients(stage, loss).values())
    assert isinstance(stage.module, Kronos | KronosTokenizer)


@pytest.fixture
def weighed(corpus: Corpus, config: RunConfig) -> Callable[..., float]:
    """Return the error of reconstructions, by scale and shift of the features and the settings of `reconstruction`."""

    def error(y: Tensor, x: Tensor, scale: Any = 1.0, shift: Any = (0, 0, 0, 0, 5, 5), **settings: Any) -> float:
        wanted = config.model_copy(update={"reconstruction": ReconstructionConfig(**settings)})
        stage = make_stage("tokenizer", corpus, wanted)
        assert isinstance(stage, TokenizerStage)
        frame = (torch.as_tensor(of, dtype=torch.float32).expand(len(x), 6) for of in (scale, shift))
        return float(stage.objective.error(y, x, *frame))

    return error


@pytest.fixture
def candles(windows: WindowSampler) -> Tensor:
    return windows.batch(windows.first_n(4)).x


def test_values_weigh_by_their_ratios(weighed: Callable[..., float], candles: Tensor) -> None:
    off = candles.clone()
    off[..., 3] += 0.5  # the close alone
    assert weighed(off, candles) == pytest.approx(0.25 / 6)
    assert weighed(off, candles, weights=(1, 1, 1, 3, 0, 0)) == pytest.approx(0.25 * 3 / 6)
    assert weighed(off, candles, weights=(2, 2, 2, 6, 0, 0)) == pytest.approx(0.25 * 3 / 6)
    assert weighed(off, candles, weights=(1, 1, 1, 0, 1, 1)) == 0


def test_moves_weigh_in_units_of_those_around_them(weighed: Callable[..., float], candles: Tensor) -> None:
    shifted = candles.clone()
    shifted[..., :4] += 0.3  # every price alike: no move is wrong
    assert weighed(shifted, candles, moves=1.0) == pytest.approx(weighed(shifted, candles), rel=1e-4)
    still = candles.clone()
    still[..., :4] = still[:, :1, 3:4]  # no move at all: each close-to-close move is missed by itself
    missed = weighed(still, candles, moves=1.0) - weighed(still, candles)
    twice = weighed(2 * still, 2 * candles, moves=1.0) - weighed(2 * still, 2 * candles)
    assert missed > 0.5
    assert twice == pytest.approx(missed, rel=1e-4)


def test_the_same_noise_weighs_more_where_prices_are_calm(weighed: Callable[..., float]) -> None:
    walk = torch.randn(1, 200, generator=torch.Generator().manual_seed(0))
    walk[:, :100] *= 0.3  # the first half is calmer than the second
    x = walk.cumsum(1)[..., None].repeat(1, 1, 6)
    calm, wild = x.clone(), x.clone()
    calm[:, 40:60, :4] += 0.1
    wild[:, 140:160, :4] += 0.1
    assert weighed(calm, x, moves=1.0) > weighed(x, x, moves=1.0)
    assert weighed(calm, x, moves=1.0) - weighed(calm, x) > 3 * (weighed(wild, x, moves=1.0) - weighed(wild, x))


def test_impossible_candles_cost_what_they_fall_short(weighed: Callable[..., float], candles: Tensor) -> None:
    wide = candles.clone()
    wide[..., 1] += 10
    wide[..., 2] -= 10
    assert weighed(wide, candles, shape=1.0) == weighed(wide, candles)
    turned = wide.clone()
    turned[..., [1, 2]] = wide[..., [2, 1]]  # high and low change places
    assert weighed(turned, candles, shape=1.0) > weighed(turned, candles) + 10
    less = wide.clone()
    less[..., 4:] = -2.5  # half a deviation below none
    two, three = (0, 0, 0, 0, 2, 2), (0, 0, 0, 0, 3, 3)
    assert weighed(less, candles, shift=two, shape=1.0) == pytest.approx(weighed(less, candles) + 2 * 0.6, rel=1e-4)
    assert weighed(less, candles, shift=three, shape=1.0) == weighed(less, candles)


def test_a_candle_is_as_possible_as_what_it_is_restored_to(weighed: Callable[..., float], candles: Tensor) -> None:
    wide = candles.clone()
    wide[..., 1] += 2
    wide[..., 2] -= 2
    assert weighed(wide, candles, shape=1.0) == weighed(wide, candles)
    lower = (0, -20, 0, 0, 5, 5)  # the mean high would lie below the other prices
    assert weighed(wide, candles, shift=lower, shape=1.0) > weighed(wide, candles) + 10
    turned = candles.clone()
    turned[..., :4] = turned[..., :1]  # one price alone, low and high have margins by their shift
    assert weighed(turned, candles, shift=(0, 9, -9, 0, 5, 5), shape=1.0) == weighed(turned, candles)


def test_shares_add_up_whatever_the_loss_weighs(corpus: Corpus, config: RunConfig, windows: WindowSampler) -> None:
    wanted = config.model_copy(
        update={"reconstruction": ReconstructionConfig(coarse=0.5, moves=0.3, shape=0.2, bits=2.0)}
    )
    stage = make_stage("tokenizer", corpus, wanted)
    numbers = windows.draw(0, 7)
    [whole] = shares(stage, windows, numbers, 1)
    divided = sum(shares(stage, windows, numbers, 3), torch.zeros(()))
    torch.testing.assert_close(divided, whole, atol=1e-6, rtol=0)
