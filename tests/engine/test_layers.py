"""Attention spelled out is the attention that PyTorch computes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine import layers
from engine.layers import SelfAttention, causal_attention


def tensors(queries: int, keys: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    sizes = (queries, keys, keys)
    return [torch.randn(2, 3, n, 4, dtype=torch.float64, generator=generator).requires_grad_() for n in sizes]


@settings(max_examples=30, deadline=None)
@given(queries=st.integers(1, 20), before=st.integers(0, 9), chunk=st.integers(1, 24))
def test_attention_in_chunks_has_the_values_and_the_gradient_of_the_whole(
    queries: int, before: int, chunk: int
) -> None:
    ours, theirs = tensors(queries, before + queries), tensors(queries, before + queries)
    seen = torch.ones(queries, before + queries, dtype=torch.bool).tril(before)
    found = causal_attention(*ours, chunk=chunk)
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=seen)
    torch.testing.assert_close(found, expected)
    for out in (found, expected):
        out.square().sum().backward()  # type: ignore[no-untyped-call]
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_it_serves_to_learn_in_bfloat16_and_there_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def watched(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        asked.append(q.dtype)
        return causal_attention(q, k, v)

    monkeypatch.setattr(layers, "causal_attention", watched)
    torch.manual_seed(0)
    attention, x = SelfAttention(16, 2), torch.randn(2, 40, 16)
    exact = attention(x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        attention(x)
    assert asked == []
    with torch.autocast("cpu", torch.bfloat16):
        learned = attention(x)
    assert asked == [torch.bfloat16]
    torch.testing.assert_close(learned.float(), exact, atol=0.02, rtol=0.05)
