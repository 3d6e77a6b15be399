"""Ids and bits, and the rounding between them."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import TokenizerConfig
from engine.quantizer import BinarySphericalQuantizer, binary_entropy, pack_bits, unpack_bits


@settings(max_examples=30)
@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, 2**n - 1), min_size=1))))
def test_bits_give_back_the_ids_they_came_from(case: tuple[int, list[int]]) -> None:
    bits, numbers = case
    ids = torch.tensor(numbers)
    assert unpack_bits(ids, bits).shape == (len(numbers), bits)
    assert torch.equal(pack_bits(unpack_bits(ids, bits)), ids)


def test_the_first_bit_is_the_lowest() -> None:
    assert pack_bits(torch.tensor([True, False, True, True])).item() == 1 + 4 + 8
    assert unpack_bits(torch.tensor(6), 4).tolist() == [False, True, True, False]


def test_the_code_has_unit_length_and_its_gradient_carries_the_same_factor() -> None:
    quantizer = BinarySphericalQuantizer(TokenizerConfig(s1_bits=2, s2_bits=2))
    z = torch.nn.functional.normalize(torch.tensor([[[0.5, -0.2, 0.0, 3.0]]]), dim=-1).requires_grad_()
    code, _ = quantizer(z)
    assert code.tolist() == [[[0.5, -0.5, -0.5, 0.5]]]  # a coordinate of exactly zero rounds down
    (gradient,) = torch.autograd.grad(code.sum(), z)
    # Through the normalisation: the component along z is taken away, the rest passes with 1/sqrt(bits).
    ones = torch.ones_like(z)
    expected = 0.5 * (ones - z * (z * ones).sum(-1, keepdim=True))
    torch.testing.assert_close(gradient, expected.detach())


def test_entropy_is_highest_for_a_fair_coin_and_zero_for_a_sure_one() -> None:
    entropy = binary_entropy(torch.tensor([0.0, 0.25, 0.5, 1.0]))
    torch.testing.assert_close(entropy, torch.tensor([0.0, 0.5623351, 0.6931472, 0.0]), atol=1e-6, rtol=0)
