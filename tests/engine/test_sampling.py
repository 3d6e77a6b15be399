"""Which token is drawn."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.sampling import Sampling, _draw_exponentials, compute_probabilities, draw_tokens

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=20, unique=True)


def kept(logits: list[float], sampling: Sampling) -> list[int]:
    return torch.nonzero(compute_probabilities(torch.tensor([logits]), sampling)[0] > 0).flatten().tolist()


@settings(max_examples=30)
@given(LOGITS, st.integers(1, 30), st.floats(0.01, 1.0))
def test_top_k_keeps_the_k_largest_and_ignores_top_p(logits: list[float], k: int, p: float) -> None:
    largest = sorted(range(len(logits)), key=lambda i: -logits[i])[:k]
    assert kept(logits, Sampling(top_k=k, top_p=p)) == sorted(largest)


@settings(max_examples=30)
@given(LOGITS, st.floats(0.01, 0.99))
def test_top_p_keeps_the_smallest_set_that_reaches_it(logits: list[float], p: float) -> None:
    shares = torch.tensor(logits, dtype=torch.float64).softmax(-1)
    chosen = kept(logits, Sampling(top_p=p))
    least = min(chosen, key=lambda i: shares[i])
    assert shares[chosen].sum() >= p - 1e-5
    assert shares[chosen].sum() - shares[least] <= p + 1e-5  # without the least likely it would not be reached
    assert chosen == sorted(sorted(range(len(logits)), key=lambda i: -logits[i])[: len(chosen)])


def test_the_token_that_crosses_the_share_stays() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().tolist()
    assert kept(logits, Sampling(top_p=0.6)) == [0, 1]
    assert kept(logits, Sampling(top_p=0.01)) == [0]
    assert kept(logits, Sampling(top_p=0.81)) == [0, 1, 2]


def test_without_limits_every_token_is_kept() -> None:
    assert kept([3.0, -50.0, 1.0], Sampling()) == [0, 1, 2]


def test_a_temperature_of_zero_takes_the_compute_probabilities_and_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    logits = torch.tensor([[0.1, 4.0, 3.9], [7.0, 6.9, 0.0]])
    assert draw_tokens(logits, Sampling(temperature=0), [generator]).tolist() == [[1], [0]]
    assert torch.equal(generator.get_state(), before)


def test_temperature_divides_the_logits() -> None:
    logits = torch.tensor([[0.0, 1.0]]).expand(4000, 2)
    for temperature in (0.5, 2.0):
        share = draw_tokens(logits, Sampling(temperature), [torch.Generator().manual_seed(3)]).float().mean().item()
        assert share == pytest.approx(1 / (1 + math.exp(-1 / temperature)), abs=0.03)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, 0, 0.8), Sampling(1.2, 5)])
def test_the_same_generator_draws_the_same_tokens_whatever_the_global_one_does(sampling: Sampling) -> None:
    logits = torch.randn(50, 30, generator=torch.Generator().manual_seed(0))
    first = draw_tokens(logits, sampling, [torch.Generator().manual_seed(5)])
    torch.manual_seed(99)
    assert torch.equal(draw_tokens(logits, sampling, [torch.Generator().manual_seed(5)]), first)
    assert not torch.equal(draw_tokens(logits, sampling, [torch.Generator().manual_seed(6)]), first)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, 0, 0.8), Sampling(1.2, 5)])
def test_draws_are_those_of_multinomial_and_leave_the_generator_where_it_does(sampling: Sampling) -> None:
    logits = torch.randn(40, 300, generator=torch.Generator().manual_seed(2)) * 3
    ours, theirs = (torch.Generator().manual_seed(8) for _ in range(2))
    p = compute_probabilities(logits / sampling.temperature, sampling)
    assert torch.equal(draw_tokens(logits, sampling, [ours]), torch.multinomial(p, 1, generator=theirs))
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_what_a_draw_races_with_is_what_exponential_fills_a_tensor_with() -> None:
    ours, theirs = (torch.Generator().manual_seed(9) for _ in range(2))
    like = torch.empty(100, 1000)
    assert torch.equal(_draw_exponentials(like, [ours]), torch.empty_like(like).exponential_(generator=theirs))
    assert torch.equal(ours.get_state(), theirs.get_state())


def test_rows_with_generators_of_their_own_draw_as_they_would_alone() -> None:
    logits = torch.randn(6, 20, generator=torch.Generator().manual_seed(4))
    together = draw_tokens(logits, Sampling(), [torch.Generator().manual_seed(seed) for seed in (1, 2)])
    alone = [
        draw_tokens(rows, Sampling(), [torch.Generator().manual_seed(i)])
        for i, rows in zip((1, 2), logits.split(3), strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))


def test_equal_logits_at_the_border_stay_together() -> None:
    assert kept([2.0, 1.0, 1.0, -3.0], Sampling(top_p=0.6)) == [0, 1, 2]


def test_other_devices_sort_as_the_processor_does(monkeypatch) -> None:
    logits = torch.randn(5, 400, generator=torch.Generator().manual_seed(6))
    expected = compute_probabilities(logits, Sampling(top_p=0.9))
    monkeypatch.setattr("engine.sampling._sort_descending", lambda x: x.sort(dim=-1, descending=True).values)
    assert torch.equal(compute_probabilities(logits, Sampling(top_p=0.9)), expected)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 2.5}, "top_k"),
        ({"top_k": math.nan}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_p": math.nan}, "top_p"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, float], field: str) -> None:
    with pytest.raises(InputError, match=f"{field}={next(iter(settings.values()))}"):
        Sampling(**settings)
