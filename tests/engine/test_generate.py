"""Generation with caches draws, token for token, what recomputing every window draws."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.plain import generate_plainly
from engine.config import ModelConfig
from engine.generate import TOKENS_AT_ONCE, Generation, decode_paths, split_blocks, split_runs
from engine.runner import PackedKronos, PackedTokenizer
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
LENGTHS = {
    "inside": (20, 10, 40),
    "to the brim": (20, 12, 32),
    "across": (20, 12, 26),
    "beyond": (40, 8, 24),
    "until no history is left": (30, 24, 24),
}


def histories(model: Kronos, series: int, length: int, horizon: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    draw = torch.Generator().manual_seed(length + series)
    s1 = torch.randint(0, 2**model.s1_bits, (series, length), generator=draw)
    s2 = torch.randint(0, 2**model.s2_bits, (series, length), generator=draw)
    stamp = torch.stack(
        [torch.randint(1, high, (series, length + horizon), generator=draw) for high in (60, 24, 7, 32, 13)], dim=-1
    )
    return (s1, s2), stamp


@torch.inference_mode()
def generate(
    model: Kronos,
    tokens: tuple[Tensor, Tensor],
    stamp: Tensor,
    *,
    generator: torch.Generator | None = None,
    stride: int = 1,
    samples: int,
    max_context: int,
    sampling: Sampling,
) -> Tensor:
    """Return coarse and fine ids (2, R, N) of the horizon."""
    generation = Generation(
        PackedKronos(model),
        list(zip(*tokens, strict=True)),
        list(stamp),
        samples=samples,
        max_context=max_context,
        sampling=sampling,
        generators=[generator],
        stride=stride,
    )
    for _ in range(generation.horizon):
        generation.advance()
    return torch.stack(generation.drawn)


def plainly(model: Kronos, tokens: tuple[Tensor, Tensor], stamp: Tensor, **settings: object) -> Tensor:
    """Return the same from the oracle."""
    ids = generate_plainly(model, tokens, stamp, **settings)  # type: ignore[arg-type]
    return torch.stack(ids)[:, :, tokens[0].shape[1] :]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def start_ragged(model: Kronos, inputs: list[tuple[tuple[Tensor, Tensor], Tensor]], **settings: Any) -> Generation:
    """Return the generation of single series of several lengths, the i-th with seed i."""
    tokens = [(s1[0], s2[0]) for (s1, s2), _ in inputs]
    stamps = [stamp[0] for _, stamp in inputs]
    generators = [seeded(i) for i in range(len(inputs))]
    return Generation(PackedKronos(model), tokens, stamps, **settings, generators=generators)


@pytest.mark.parametrize("samples", [1, 3, 5, 12])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("sampling", HOW)
def test_cached_generation_equals_recomputing_every_window(
    sampling: str, lengths: str, samples: int, model: Kronos
) -> None:
    length, horizon, context = LENGTHS[lengths]
    tokens, stamp = histories(model, 2, length, horizon)
    settings = {"samples": samples, "max_context": context, "sampling": HOW[sampling]}
    ours = generate(model, tokens, stamp, **settings, generator=seeded(17))
    assert torch.equal(ours, plainly(model, tokens, stamp, **settings, generator=seeded(17)))


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("sampling", HOW)
def test_ragged_series_draw_what_each_draws_alone(sampling: str, samples: int, model: Kronos) -> None:
    lengths, horizon = (11, 20, 20, 31), 7
    settings = {"samples": samples, "max_context": 40, "sampling": HOW[sampling]}
    inputs = [histories(model, 1, length, horizon) for length in lengths]
    with torch.inference_mode():
        generation = start_ragged(model, inputs, **settings)
        for _ in range(horizon):
            generation.advance()
    for i, (tokens, stamp) in enumerate(inputs):
        alone = plainly(model, tokens, stamp, **settings, generator=seeded(i))
        assert torch.equal(torch.stack(generation.tokens(i)[1]), alone), f"series {i}"


def test_series_that_leave_do_not_disturb_those_that_stay(model: Kronos) -> None:
    lengths, horizon = (9, 14, 14), 8
    settings = {"samples": 3, "max_context": 40, "sampling": Sampling()}
    inputs = [histories(model, 1, length, horizon) for length in lengths]
    with torch.inference_mode():
        generation = start_ragged(model, inputs, **settings)
        for step in range(horizon):
            if step == 3:
                held = generation.cache.nbytes
                generation.select([2])
                assert generation.cache.nbytes < held / 2
            generation.advance()
    alone = plainly(model, *inputs[2], **settings, generator=seeded(2))
    assert torch.equal(torch.stack(generation.tokens(0)[1]), alone)


def test_rows_too_many_to_be_computed_at_once_come_out_the_same(model: Kronos, monkeypatch) -> None:
    tokens, stamp = histories(model, 3, 12, 6)
    settings = {"samples": 5, "max_context": 12, "sampling": Sampling()}
    expected = plainly(model, tokens, stamp, **settings, generator=seeded(1))
    for at_once in (1, 7, 30):
        monkeypatch.setattr("engine.generate.TOKENS_AT_ONCE", at_once)
        assert torch.equal(generate(model, tokens, stamp, **settings, generator=seeded(1)), expected)


def test_strided_drops_several_candles_at_a_time_and_stays_exact_until_it_does(model: Kronos) -> None:
    tokens, stamp = histories(model, 1, 20, 12)
    settings = {"samples": 2, "max_context": 26, "sampling": Sampling(temperature=2.0)}
    exact = generate(model, tokens, stamp, **settings, generator=seeded(3))
    strided = generate(model, tokens, stamp, **settings, generator=seeded(3), stride=5)
    assert torch.equal(strided[..., :7], exact[..., :7])  # 20 + 6 fill the context; the seventh is the last they share
    assert not torch.equal(strided, exact)
    # After the drop it sees the last 26 + 1 - 5 tokens, as the oracle does in a context of that size.
    smaller = settings | {"max_context": 22}
    ids = tuple(torch.cat((tokens[i].repeat_interleave(2, 0), strided[i, :, :7]), dim=1) for i in range(2))
    again = settings | {"max_context": 26, "samples": 1, "sampling": Sampling(temperature=0)}
    greedy = {"sampling": Sampling(temperature=0), "samples": 1}
    rows = stamp.repeat_interleave(2, 0)[:, :28]
    assert torch.equal(
        plainly(model, ids, rows, **smaller | greedy),
        generate(model, tuple(x[:, 5:] for x in ids), rows[:, 5:], **again),
    )


def test_unequal_numbers_of_bits_are_generated_as_well() -> None:
    torch.manual_seed(0)
    config = ModelConfig(s1_bits=5, s2_bits=7, n_layers=1, d_model=16, n_heads=2, ff_dim=32)
    model = Kronos.from_config(config).eval()
    tokens, stamp = histories(model, 1, 10, 6)
    settings = {"samples": 4, "max_context": 12, "sampling": Sampling(temperature=3.0)}
    ours = generate(model, tokens, stamp, **settings, generator=seeded(2))
    assert torch.equal(ours, plainly(model, tokens, stamp, **settings, generator=seeded(2)))
    assert ours[0].max() < 32 < ours[1].max() < 128


def test_without_a_generator_the_global_one_is_used_in_the_published_order(model: Kronos) -> None:
    tokens, stamp = histories(model, 2, 10, 4)
    settings = {"samples": 2, "max_context": 32, "sampling": Sampling()}
    torch.manual_seed(4)
    ours = generate(model, tokens, stamp, **settings)
    torch.manual_seed(4)
    assert torch.equal(ours, plainly(model, tokens, stamp, **settings))


@pytest.mark.parametrize("max_context", [60, 30, 12, 8])
def test_decoding_the_history_once_equals_decoding_it_with_every_path(
    max_context: int, tokenizer: KronosTokenizer, monkeypatch
) -> None:
    monkeypatch.setattr("engine.generate.TOKENS_AT_ONCE", 20)
    draw = seeded(0)
    history, paths = ([torch.randint(0, 64, shape, generator=draw) for _ in range(2)] for shape in ((1, 30), (5, 8)))
    with torch.inference_mode():
        ours = decode_paths(PackedTokenizer(tokenizer), tuple(history), tuple(paths), max_context=max_context)
        whole = [torch.cat((h.expand(5, -1), p), dim=1)[:, -max_context:] for h, p in zip(history, paths, strict=True)]
        torch.testing.assert_close(ours, tokenizer.decode(whole, half=True)[:, -8:])


def test_a_decoder_cannot_see_the_candles_that_follow(tokenizer: KronosTokenizer) -> None:
    ids = [torch.randint(0, 64, (1, 20), generator=seeded(i)) for i in range(2)]
    other = [torch.cat((x[:, :12], 63 - x[:, 12:]), dim=1) for x in ids]
    with torch.inference_mode():
        first, second = (tokenizer.decode(x, half=True) for x in (ids, other))
    torch.testing.assert_close(first[:, :12], second[:, :12])
    assert not torch.allclose(first[:, 12:], second[:, 12:])


def test_a_packed_tokenizer_gives_the_same_ids(tokenizer: KronosTokenizer) -> None:
    x = torch.randn(3, 40, 6, generator=seeded(5))
    with torch.inference_mode():
        for ours, theirs in zip(PackedTokenizer(tokenizer).encode(x), tokenizer.encode(x, half=True), strict=True):
            assert torch.equal(ours, theirs)


def test_runs_and_blocks_cover_every_row_once_and_keep_to_the_limit() -> None:
    lengths = [300] * 5 + [900, 900, 2000]
    assert [i for rows in split_runs(lengths) for i in range(rows.start, rows.stop)] == list(range(8))
    assert all(len(set(lengths[rows])) == 1 for rows in split_runs(lengths))
    assert all(sum(lengths[rows]) <= TOKENS_AT_ONCE for rows in split_runs(lengths) if rows.stop - rows.start > 1)
    for series, samples, tokens in ((3, 30, 100), (20, 2, 100), (2, 3, 5000)):
        parts = list(split_blocks(series, samples, tokens))
        assert [i for _, rows in parts for i in range(rows.start, rows.stop)] == list(range(series * samples))
        for which, rows in parts:
            assert which.start == rows.start // samples
            assert (which.stop - 1) == (rows.stop - 1) // samples
            assert (rows.stop - rows.start) * tokens <= TOKENS_AT_ONCE or rows.stop - rows.start == 1
