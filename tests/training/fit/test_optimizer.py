"""Which optimizer updates what, and at which rate."""

from __future__ import annotations

import torch
from torch import optim

from engine.config import ModelConfig
from engine.transformer import Kronos
from tests.training.conftest import PREDICTOR
from training.fit.adaptation import blocks
from training.fit.optimizer import make_optimizers, set_step
from training.run.config import StageConfig


def network() -> Kronos:
    torch.manual_seed(0)
    return Kronos.from_config(ModelConfig(**PREDICTOR))


def of(optimizer: optim.Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}


def test_muon_takes_the_matrices_of_blocks_and_adamw_the_rest() -> None:
    model = network()
    adamw, muon = make_optimizers(model, StageConfig(muon_rate=0.02), 1e-3)
    matrices = {id(p) for block in blocks(model) for p in block.parameters() if p.dim() == 2}
    assert of(muon) == matrices
    assert of(adamw) == {id(p) for p in model.parameters()} - matrices
    assert id(model.embedding.emb_s1.weight) in of(adamw)


def test_without_a_rate_of_its_own_adamw_takes_all() -> None:
    model = network()
    [adamw] = make_optimizers(model, StageConfig(), 1e-3)
    assert of(adamw) == {id(p) for p in model.parameters()}


def test_each_follows_the_schedule_from_its_own_highest_rate() -> None:
    optimizers = make_optimizers(network(), StageConfig(muon_rate=0.02), 1e-3)
    set_step(optimizers, 0.5, 0.8)
    assert [group["lr"] for one in optimizers for group in one.param_groups] == [5e-4, 5e-4, 0.01]
    assert optimizers[0].param_groups[0]["betas"] == (0.8, 0.95)
