"""Work counted from the shapes agrees with a count by hand, and the roofline with its definition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.cases import Case
from benchmarks.machine import Machine
from benchmarks.shapes import Shape
from benchmarks.work import (
    Window,
    Work,
    count_own_bytes,
    count_weight_bytes,
    forecast_work,
    one_step,
    whole_window,
)
from engine.config import ModelConfig, TokenizerConfig
from tests.benchmarks.conftest import TINY

# One block of 4 x 8 x 8 + 3 x 8 x 16 = 640 weights; heads of 4 and 8 tokens.
MODEL = ModelConfig(s1_bits=2, s2_bits=3, n_layers=1, d_model=8, n_heads=1, ff_dim=16)
SHAPE = Shape(MODEL, TokenizerConfig(d_model=8, n_heads=1, ff_dim=16, s1_bits=2, s2_bits=3), context=6)


def test_a_step_reads_the_weights_and_the_context_once() -> None:
    step = one_step(MODEL, Window(series=1, rows=2, shared=3, own=1))
    # block, keys and values of the cross-attention; two products with four positions, in the block and across
    row = 640 + 2 * 64 + 2 * 8 * 4 + (64 + 2 * 8 * 4) + 8 * 4 + 8 * 8
    assert step.flops == 2 * 2 * row
    # 3 shared positions once, 1 for each row, keys and values in two layers
    assert step.bytes == 4 * (640 + 3 * 64 + 8 * 12) + 4 * (2 * 8 * 2) * (3 + 2 * 1)


def test_a_window_is_computed_once_for_all_samples_as_far_as_they_share_it() -> None:
    window = Window(series=1, rows=2, shared=3, own=2)
    pairs = (1 + 2 + 3) + 2 * (4 + 5)
    assert window.positions == 3 + 2 * 2
    assert window.pairs() == pairs
    draw = 8 * 4 + 64 + 2 * 8 * 5 + 8 * 8
    assert whole_window(MODEL, window).flops == 2 * (7 * (640 + 128) + 2 * 8 * pairs + 2 * draw)
    assert whole_window(MODEL, window).bytes == count_weight_bytes(MODEL)


@pytest.mark.parametrize(
    ("window", "steps", "slides"),
    [("exact", 2, 2), ("fit", 4, 0), ("strided", 3, 1)],
)
def test_steps_go_on_until_the_context_is_full(window: str, steps: int, slides: int) -> None:
    case = Case("tiny", 1, 1, history=4, horizon=5, context=6, windows=(), stride=2)
    reads = {part: work.bytes for part, work in forecast_work(SHAPE, case, window).items()}
    assert reads["slide"] == slides * count_weight_bytes(MODEL)
    assert reads["step"] // count_weight_bytes(MODEL) == steps


def test_the_history_is_decoded_once_and_each_path_by_itself() -> None:
    case = Case("tiny", 1, 1, history=4, horizon=2, context=6, windows=())
    one = forecast_work(SHAPE, case, "exact")["decode"].flops
    two = forecast_work(SHAPE, replace(case, samples=2), "exact")["decode"].flops
    blocks, weights = 3, 3 * 640 + 8 * (6 + 5)
    assert two - one == 2 * (2 * weights + 2 * 8 * blocks * (5 + 6))


def test_reduced_weights_are_fewer_bytes_of_the_same_work() -> None:
    case = Case("tiny", 1, 1, history=4, horizon=2, context=6, windows=())
    whole, half = (forecast_work(SHAPE, case, "exact", weights) for weights in ("float32", "float16"))
    assert whole["prefill"].bytes == 2 * half["prefill"].bytes
    assert whole["step"].bytes - half["step"].bytes == count_weight_bytes(MODEL, "float16")
    assert whole["decode"] == half["decode"]
    assert whole["step"].flops == half["step"].flops


def test_paths_own_the_keys_and_values_of_what_they_drew() -> None:
    case = Case("tiny", 1, 3, history=4, horizon=5, context=6, windows=())
    assert count_own_bytes(MODEL, case, "exact") == 3 * 4 * (2 * 8 * 2) * 4


def test_a_part_takes_its_arithmetic_or_its_reading_whichever_is_longer() -> None:
    machine = Machine(flops=100.0, bandwidth=10.0, working_set=1)
    assert machine.least_seconds(Work(200, 10)) == 2.0
    assert machine.least_seconds(Work(200, 50)) == 5.0


def test_the_bound_is_the_sum_of_its_parts(case: Case) -> None:
    found = Machine(1e9, 1e9, 1).bound(TINY, case, "exact")
    assert set(found["parts"]) == {"encode", "prefill", "step", "slide", "decode"}
    assert found["seconds"] == pytest.approx(sum(part["seconds"] for part in found["parts"].values()))
