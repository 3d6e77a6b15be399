"""The yardstick costs what the published loop costs, and computes what it computes."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import measure, yardstick
from benchmarks.cases import Case
from benchmarks.plain import draw_plainly, predict_plainly
from benchmarks.shapes import Shape, random_walks
from benchmarks.work import block_weights
from benchmarks.yardstick import Prepared, prepare, spread_steps, time_plain
from engine.predictor import KronosPredictor
from engine.sampling import Sampling
from tests.benchmarks.conftest import TINY

LINEAR = {torch.ops.aten.mm, torch.ops.aten.addmm}


def plain_products(shape: Shape, case: Case) -> int:
    """Operations of the plain loop's linear layers, which recompute everything.

    The attention's own products are left out: their number depends on how a kernel treats the causal mask.
    """
    c, t = shape.model, shape.tokenizer
    everywhere = c.n_layers * block_weights(c) + 4 * c.d_model**2 + c.d_model * ((1 << c.s1_bits) + (1 << c.s2_bits))
    once = 2 * c.d_model**2  # the cross-attention's query and its output: one position a row
    lengths = [min(case.history + drawn, case.context) for drawn in range(case.horizon)]
    encode = case.history * ((t.n_enc_layers - 1) * block_weights(t) + t.d_model * (t.d_in + t.bits))
    last = min(case.history + case.horizon, case.context)
    decode = last * ((t.n_dec_layers - 1) * block_weights(t) + t.d_model * (t.d_in + t.bits))
    return 2 * case.paths * (sum(lengths) * everywhere + case.horizon * once + encode + decode)


def predict(predictor: KronosPredictor, ready: Prepared, case: Case, sampling: Sampling) -> torch.Tensor:
    """Return the mean paths of the plain loop (S, N, 6)."""
    settings = {"samples": case.samples, "max_context": case.context, "sampling": sampling}
    return predict_plainly(predictor.model, predictor.tokenizer, ready.x, ready.stamp, **settings)


def test_the_plain_loop_computes_everything_anew(predictor: KronosPredictor, case: Case) -> None:
    """However fast the engine becomes, the yardstick keeps the operations of the published loop."""
    ready = prepare(random_walks(case.series, case.history, case.horizon), predictor)
    with FlopCounterMode(display=False) as counter:
        predict(predictor, ready, case, Sampling())
    counted = counter.get_flop_counts()["Global"]
    assert sum(flops for product, flops in counted.items() if product in LINEAR) == plain_products(TINY, case)


@pytest.mark.parametrize("sampling", [Sampling(0), Sampling(), Sampling(0.9, 0, 0.9), Sampling(1.2, 5)])
def test_the_plain_loop_predicts_what_the_published_interface_predicts(
    predictor: KronosPredictor, case: Case, sampling: Sampling
) -> None:
    inputs = random_walks(case.series, case.history, case.horizon)
    ready = prepare(inputs, predictor)
    torch.manual_seed(3)
    mean = predict(predictor, ready, case, sampling)
    torch.manual_seed(3)
    expected = predictor.predict_batch(
        *inputs.parts(), case.horizon, sampling.temperature, sampling.top_k, sampling.top_p, case.samples, verbose=False
    )
    np.testing.assert_allclose(ready.scale.invert(mean.numpy()), np.stack(expected), rtol=1e-4)
    assert isinstance(expected[0].index, pd.DatetimeIndex)


def test_the_plain_draw_keeps_the_token_that_crosses_the_share() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(2000, 1)
    drawn = draw_plainly(logits, Sampling(top_p=0.7), torch.Generator().manual_seed(0))
    assert set(drawn.flatten().tolist()) == {0, 1}


def test_timed_steps_stand_for_all_steps() -> None:
    assert spread_steps(120, 12)[:2] == [(4, 10), (14, 10)]
    assert spread_steps(10, 3) == [(1, 3), (4, 4), (8, 3)]
    assert spread_steps(3, 9) == [(0, 1), (1, 1), (2, 1)]
    for horizon, steps in ((120, 7), (10, 4)):
        assert sum(weight for _, weight in spread_steps(horizon, steps)) == horizon


def test_scaled_seconds_are_those_of_the_whole_loop(
    predictor: KronosPredictor, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that stands still but for work: it moves by the candles that a step computes."""
    clock = Mock(perf_counter=Mock(side_effect=lambda: clock.now), now=0.0)
    lengths = []

    def step(model: object, s1: torch.Tensor, *rest: object, max_context: int, **_: object) -> None:
        lengths.append(min(s1.shape[1], max_context))
        clock.now += len(s1) * lengths[-1]

    monkeypatch.setattr(measure, "time", clock)
    monkeypatch.setattr(yardstick, "step_plainly", step)
    ready = prepare(random_walks(case.series, case.history, case.horizon), predictor)
    scaled = time_plain(predictor, ready, case, Sampling(), steps=4)
    assert lengths == [20, 22, 24, 24]
    whole = case.paths * sum(min(20 + drawn, 24) for drawn in range(8))
    assert scaled == pytest.approx(whole, rel=0.03)


def test_the_whole_loop_is_timed_where_no_steps_are_left_out(
    predictor: KronosPredictor, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Mock()
    monkeypatch.setattr(yardstick, "predict_plainly", whole)
    ready = prepare(random_walks(case.series, case.history, case.horizon), predictor)
    for steps in (None, case.horizon):
        time_plain(predictor, ready, case, Sampling(), steps)
    assert whole.call_count == 2
