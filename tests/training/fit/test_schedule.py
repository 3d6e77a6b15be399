"""Learning rate and momentum of every step."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.fit.schedule import momentum, rate
from training.run.config import StageConfig


def stage(**settings: Any) -> StageConfig:
    return StageConfig(steps=100, **settings)


@pytest.mark.parametrize("warmup", [0.03, 0.1, 0.5])
def test_a_one_cycle_is_the_one_of_pytorch(warmup: float) -> None:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], betas=(0.9, 0.95))
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.02, total_steps=100, pct_start=warmup, div_factor=10, final_div_factor=100
    )
    ours = stage(schedule="onecycle", warmup=warmup)
    for step in range(100):
        [group] = optimizer.param_groups
        assert rate(ours, 0.02, step) == pytest.approx(group["lr"], rel=1e-9)
        assert momentum(ours, step) == pytest.approx(group["betas"][0], rel=1e-9)
        optimizer.step()
        if step < 99:
            theirs.step()


def test_a_cosine_warms_up_and_falls_to_a_tenth() -> None:
    cosine = stage(schedule="cosine", warmup=0.2)
    assert [rate(cosine, 1.0, step) for step in (0, 9, 19)] == pytest.approx([0.05, 0.5, 1.0])
    assert rate(cosine, 1.0, 59) == pytest.approx(0.55)  # half of the way down
    assert rate(cosine, 1.0, 99) == pytest.approx(0.1)


def test_a_trapezoid_warms_up_holds_and_falls() -> None:
    trapezoid = stage(schedule="trapezoid", warmup=0.1, decay=0.4)
    rates = [rate(trapezoid, 0.1, step) for step in (0, 4, 9, 30, 60)]
    assert rates == pytest.approx([0.01, 0.05, 0.1, 0.1, 0.1])
    assert rate(trapezoid, 0.1, 80) == pytest.approx(0.05)
    assert rate(trapezoid, 0.1, 99) == pytest.approx(0.1 / 40)
    flat = stage(schedule="trapezoid", warmup=0, decay=0)
    assert rate(flat, 0.1, 0) == rate(flat, 0.1, 99) == 0.1


@pytest.mark.parametrize("schedule", ["cosine", "trapezoid"])
def test_momentum_stays_where_nothing_cycles(schedule: str) -> None:
    assert {momentum(stage(schedule=schedule, betas=(0.8, 0.9)), step) for step in range(100)} == {0.8}


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "trapezoid"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_every_rate_lies_between_nothing_and_the_highest(schedule: str, steps: int, warmup: float) -> None:
    short = StageConfig.model_validate({"steps": steps, "schedule": schedule, "warmup": warmup, "decay": 1.0})
    assert all(0 < rate(short, 0.01, step) <= 0.01 for step in range(steps))
    assert all(0.85 - 1e-9 <= momentum(short, step) <= 0.95 + 1e-9 for step in range(steps))
