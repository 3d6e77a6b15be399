"""Generation with caches draws, token for token, what recomputing every window draws."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmarks.plain import generate_plainly
from engine.config import ModelConfig
from engine.generate import ROWS_AT_ONCE, decode_tail, generate
from engine.sampling import Sampling
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos

HOW = {
    "greedy": Sampling(temperature=0),
    "top-p": Sampling(0.9, 0, 0.9),
    "top-k": Sampling(1.2, 5),
    "plain": Sampling(),
}
# history, horizon, context
LENGTHS = {"inside": (20, 10, 40), "to the brim": (20, 12, 32), "across": (20, 12, 26), "beyond": (40, 8, 24)}


def histories(model: Kronos, series: int, length: int, horizon: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    draw = torch.Generator().manual_seed(length + series)
    s1 = torch.randint(0, 2**model.s1_bits, (series, length), generator=draw)
    s2 = torch.randint(0, 2**model.s2_bits, (series, length), generator=draw)
    stamp = torch.stack(
        [torch.randint(1, high, (series, length + horizon), generator=draw) for high in (60, 24, 7, 32, 13)], dim=-1
    )
    return (s1, s2), stamp


@pytest.mark.parametrize("samples", [1, 3, 5])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("how", HOW)
def test_cached_generation_equals_recomputing_every_window(how: str, lengths: str, samples: int, model: Kronos) -> None:
    length, horizon, context = LENGTHS[lengths]
    tokens, stamp = histories(model, 2, length, horizon)
    ours, theirs = (
        build(
            model,
            tokens,
            stamp,
            samples=samples,
            max_context=context,
            how=HOW[how],
            generator=torch.Generator().manual_seed(17),
        )
        for build in (torch.inference_mode()(generate), generate_plainly)
    )
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


def test_more_rows_than_are_computed_at_once_come_out_the_same(model: Kronos) -> None:
    tokens, stamp = histories(model, 1, 12, 6)
    settings = {"samples": ROWS_AT_ONCE + 5, "max_context": 12, "how": Sampling()}
    with torch.inference_mode():
        ours = generate(model, tokens, stamp, **settings, generator=torch.Generator().manual_seed(1))
    theirs = generate_plainly(model, tokens, stamp, **settings, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.stack(ours), torch.stack(theirs))


def test_unequal_numbers_of_bits_are_generated_as_well() -> None:
    torch.manual_seed(0)
    config = ModelConfig(s1_bits=5, s2_bits=7, n_layers=1, d_model=16, n_heads=2, ff_dim=32)
    model = Kronos.from_config(config).eval()
    tokens, stamp = histories(model, 1, 10, 6)
    settings = {"samples": 4, "max_context": 12, "how": Sampling(temperature=3.0)}
    with torch.inference_mode():
        ours = generate(model, tokens, stamp, **settings, generator=torch.Generator().manual_seed(2))
    theirs = generate_plainly(model, tokens, stamp, **settings, generator=torch.Generator().manual_seed(2))
    assert torch.equal(torch.stack(ours), torch.stack(theirs))
    assert ours[0].max() < 32 < ours[1].max() < 128


def test_without_a_generator_the_global_one_is_used_in_the_published_order(model: Kronos) -> None:
    tokens, stamp = histories(model, 2, 10, 4)
    settings = {"samples": 2, "max_context": 32, "how": Sampling()}
    torch.manual_seed(4)
    with torch.inference_mode():
        ours = generate(model, tokens, stamp, **settings)
    torch.manual_seed(4)
    assert torch.equal(torch.stack(ours), torch.stack(generate_plainly(model, tokens, stamp, **settings)))


def test_each_step_is_reported_and_may_cancel(model: Kronos) -> None:
    tokens, stamp = histories(model, 1, 10, 5)
    seen: list[tuple[int, int]] = []

    def stop_at_three(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        generate(model, tokens, stamp, samples=1, max_context=32, how=Sampling(), on_step=stop_at_three)
    assert seen == [(1, 5), (2, 5), (3, 5)]


def test_only_the_last_context_of_tokens_is_decoded(tokenizer: KronosTokenizer) -> None:
    draw = torch.Generator().manual_seed(0)
    s1, s2 = (torch.randint(0, 64, (ROWS_AT_ONCE + 2, 30), generator=draw) for _ in range(2))
    with torch.inference_mode():
        tail = decode_tail(tokenizer, s1, s2, max_context=20, horizon=8)
        expected = tokenizer.decode((s1[:, -20:], s2[:, -20:]), half=True)[:, -8:]
    torch.testing.assert_close(tail, expected)
