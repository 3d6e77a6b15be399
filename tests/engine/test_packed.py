"""Packed weights compute what the networks compute."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from engine.packed import FbGemm, Int8, OneDnn, Strips, Transposed, pack
from engine.runner import PackedKronos
from engine.transformer import Kronos


def layers(*outputs: int, bias: bool = True) -> list[nn.Linear]:
    torch.manual_seed(1)
    return [nn.Linear(24, out, bias=bias) for out in outputs]


@pytest.mark.parametrize("rows", [1, 5, 64, 300])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kernels", [True, False])
@torch.no_grad()
def test_layers_that_share_an_input_are_one_product(rows: int, bias: bool, kernels: bool, monkeypatch) -> None:
    if not kernels:
        monkeypatch.setattr(OneDnn, "fits", staticmethod(lambda weight: False))
    parts = layers(16, 40, bias=bias)
    product = pack(*parts)
    x = torch.randn(rows, 24)
    assert isinstance(product, OneDnn) is kernels
    torch.testing.assert_close(product(x), torch.cat([layer(x) for layer in parts], dim=1))
    assert product.nbytes == 56 * 24 * 4 * (2 if kernels and rows == 1 else 1)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("outputs", [1, 16, 600, 2048])
@torch.no_grad()
def test_a_lone_row_is_multiplied_in_strips_for_any_number_of_threads(outputs: int, threads: int, monkeypatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    (layer,) = layers(outputs)
    x = torch.randn(1, 24)
    torch.testing.assert_close(Strips(layer.weight, layer.bias)(x), layer(x))


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize(("precision", "share", "tolerance"), [("float16", 2, 1e-3), ("int8", 4, 1e-2)])
@torch.no_grad()
def test_smaller_weights_take_less_and_stay_close(
    precision: str, share: int, tolerance: float, kernels: bool, monkeypatch
) -> None:
    if not kernels:
        monkeypatch.setattr(FbGemm, "fits", staticmethod(lambda weight: False))
    (layer,) = layers(200)
    product = pack(layer, precision=precision)
    x = torch.randn(7, 24)
    assert product.nbytes <= 200 * 24 * 4 / share + 200 * 4
    error = (product(x) - layer(x)).abs().max()
    assert 0 < error < tolerance * layer(x).abs().max()


@torch.no_grad()
def test_a_row_of_zeros_survives_rounding_to_8_bits() -> None:
    weight = torch.zeros(3, 4)
    weight[1] = torch.tensor([1.0, -2.0, 0.5, 0.0])
    torch.testing.assert_close(Int8(weight, None)(torch.eye(4)), weight.T, atol=0.01, rtol=0)


@torch.no_grad()
def test_half_weights_multiply_in_half_where_the_device_is_good_at_it(monkeypatch) -> None:
    (layer,) = layers(16)
    product = Transposed(layer.weight.half(), layer.bias)
    x = torch.randn(3, 24)
    widened = product(x)
    monkeypatch.setattr("engine.packed.HALF_IS_SLOW", frozenset())
    assert product(x).dtype == torch.float32
    torch.testing.assert_close(product(x), widened, atol=5e-3, rtol=1e-2)


@pytest.mark.parametrize(("precision", "share"), [("float32", 1e-5), ("float16", 2e-3), ("int8", 5e-2)])
@torch.inference_mode()
def test_logits_of_packed_networks_are_those_of_the_modules(precision: str, share: float, model: Kronos) -> None:
    ids = torch.randint(0, 64, (2, 3, 30), generator=torch.Generator().manual_seed(0))
    stamp = torch.ones(3, 30, 5, dtype=torch.long)
    network = PackedKronos(model, precision)  # type: ignore[arg-type]
    cache = network.allocate([30] * 3, 2, 4)
    context = network.prefill(*ids, network.times(stamp), cache)
    logits, states = model.decode_s1(*ids, stamp)
    given = torch.tensor([[3], [9], [27]])
    fine = model.decode_s2(states, given)[:, -1]
    ours = network.fine_logits(context.repeat_interleave(2, 0), given[:, 0].repeat_interleave(2), cache)
    for mine, theirs in ((network.head_s1(context), logits[:, -1]), (ours[::2], fine)):
        assert (mine - theirs).abs().max() < share * theirs.std()


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_large_pages_are_asked_for_unless_the_user_decided(before: str | None, after: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "THP_MEM_ALLOC_ENABLE"}
    if before is not None:
        environment["THP_MEM_ALLOC_ENABLE"] = before
    program = "import os, engine.packed; print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == after
