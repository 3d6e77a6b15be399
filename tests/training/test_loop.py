"""The loop learns, resumes exactly where it stopped, and stops before it spoils a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from engine.checkpoint import digest
from engine.config import ModelConfig, TokenizerConfig
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.conftest import SHAPE
from training.config import TrainingConfig
from training.corpus import load_corpus
from training.loop import make_optimizer, train
from training.stages import PredictorStage, TokenizerStage
from training.windows import Batch, WindowSampler


@pytest.fixture
def samples(data: Path, config: TrainingConfig) -> WindowSampler:
    return WindowSampler(load_corpus(data.glob("*/*.parquet"), "train"), config)


@pytest.fixture
def validation(data: Path, config: TrainingConfig) -> WindowSampler:
    return WindowSampler(load_corpus(data.glob("*/*.parquet"), "val"), config)


def predictor_stage(tokenizer: KronosTokenizer) -> PredictorStage:
    torch.manual_seed(0)
    dropout = {"ffn_dropout_p": 0.2, "attn_dropout_p": 0.2, "resid_dropout_p": 0.2, "token_dropout_p": 0.2}
    return PredictorStage(Kronos.from_config(ModelConfig(n_layers=1, **SHAPE, **dropout)), tokenizer)


def log(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_resumed_run_equals_one_that_never_stopped(
    tmp_path: Path,
    tokenizer: KronosTokenizer,
    config: TrainingConfig,
    samples: WindowSampler,
    validation: WindowSampler,
) -> None:
    config = config.model_copy(update={"log_every": 2})  # a line of the log spans the interruption
    whole = predictor_stage(tokenizer)
    progress = train(whole, config, samples, validation, tmp_path / "whole")

    def stop_after_three(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(predictor_stage(tokenizer), config, samples, validation, tmp_path / "parts", on_step=stop_after_three)
    resumed = predictor_stage(tokenizer)
    torch.manual_seed(99)  # another process has another random state
    again = train(resumed, config, samples, validation, tmp_path / "parts")
    assert digest(resumed.module) == digest(whole.module)
    assert log(tmp_path / "parts") == log(tmp_path / "whole")
    assert (again["step"], again["best"]) == (6, progress["best"])
    assert digest(Kronos.from_pretrained(tmp_path / "parts" / "last")) == digest(whole.module)


def test_a_finished_run_does_nothing_when_started_again(
    tmp_path: Path,
    tokenizer: KronosTokenizer,
    config: TrainingConfig,
    samples: WindowSampler,
    validation: WindowSampler,
) -> None:
    stage = predictor_stage(tokenizer)
    train(stage, config, samples, validation, tmp_path)
    before, lines = digest(stage.module), log(tmp_path)
    assert train(stage, config, samples, validation, tmp_path)["step"] == 6
    assert (digest(stage.module), log(tmp_path)) == (before, lines)


def test_the_tokenizer_learns_to_reconstruct(
    tmp_path: Path, config: TrainingConfig, samples: WindowSampler, validation: WindowSampler
) -> None:
    torch.manual_seed(1)
    stage = TokenizerStage(KronosTokenizer.from_config(TokenizerConfig(n_enc_layers=2, n_dec_layers=2, **SHAPE)))
    longer = config.model_copy(update={"steps": 60, "validate_every": 30, "learning_rate": 5e-3, "batch": 4})
    first = stage.validate([validation(0, 8)])["loss"]
    progress = train(stage, longer, samples, validation, tmp_path)
    assert progress["best"] < 0.7 * first
    figures = [row for row in log(tmp_path) if "validation_loss" in row]
    assert [row["step"] for row in figures] == [30, 60]
    assert figures[-1]["validation_loss"] == progress["best"]
    assert 1 <= figures[-1]["validation_coarse_perplexity"] <= figures[-1]["validation_coarse_codes"] <= 16


class BrokenSampler:
    """Hands out infinite candles from one step on, as broken data would."""

    def __init__(self, samples: WindowSampler, step: int) -> None:
        self.samples, self.step = samples, step

    def __call__(self, step: int, size: int | None = None) -> Batch:
        batch = self.samples(step, size)
        if step >= self.step:
            batch.x.fill_(float("nan"))
        return batch


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    tmp_path: Path, config: TrainingConfig, samples: WindowSampler, validation: WindowSampler
) -> None:
    torch.manual_seed(1)
    stage = TokenizerStage(KronosTokenizer.from_config(TokenizerConfig(n_enc_layers=2, n_dec_layers=2, **SHAPE)))
    with pytest.raises(FloatingPointError, match=r"loss became nan at step 5: lower learning_rate=0\.001"):
        train(stage, config, BrokenSampler(samples, 4), validation, tmp_path)  # type: ignore[arg-type]
    kept = KronosTokenizer.from_pretrained(tmp_path / "last")
    assert all(parameter.isfinite().all() for parameter in kept.parameters())
    assert all(parameter.isfinite().all() for parameter in stage.module.parameters())
    assert train(stage, config, samples, validation, tmp_path)["step"] == 6  # goes on from step 3


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(
    tmp_path: Path, config: TrainingConfig, samples: WindowSampler, validation: WindowSampler
) -> None:
    stage = TokenizerStage(KronosTokenizer.from_config(TokenizerConfig(n_enc_layers=2, n_dec_layers=2, **SHAPE)))
    stage.module.head.bias.register_hook(lambda gradient: gradient * float("inf"))
    before = digest(stage.module)
    with pytest.raises(FloatingPointError, match="gradient became"):
        train(stage, config, samples, validation, tmp_path)
    assert digest(stage.module) == before


def test_matrices_decay_and_vectors_do_not(config: TrainingConfig, tokenizer: KronosTokenizer) -> None:
    decayed, kept = make_optimizer(tokenizer, config).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (config.weight_decay, 0.0)
    assert all(parameter.dim() >= 2 for parameter in decayed["params"])
    assert all(parameter.dim() == 1 for parameter in kept["params"])
    assert len(decayed["params"]) + len(kept["params"]) == len(list(tokenizer.parameters()))


def test_the_predictor_learns_only_the_candles_after_the_prefix(
    tokenizer: KronosTokenizer, samples: WindowSampler
) -> None:
    stage = predictor_stage(tokenizer)
    stage.module.eval()
    batch = samples(0)
    s1, s2 = tokenizer.encode(batch.x, half=True)
    s1_logits, s2_logits = stage.module.causal_logits(s1[:, :-1], s2[:, :-1], batch.stamp[:, :-1], s1[:, 1:])
    learned = [(row, t) for row in range(2) for t in range(31) if t + 1 >= batch.prefix[row]]
    rows, positions = (torch.tensor(x) for x in zip(*learned, strict=True))
    s1_loss = F.cross_entropy(s1_logits[rows, positions], s1[rows, positions + 1])
    s2_loss = F.cross_entropy(s2_logits[rows, positions], s2[rows, positions + 1])
    torch.testing.assert_close(stage.loss(batch), (s1_loss + s2_loss) / 2)
    figures = stage.validate([batch])
    assert figures["loss"] == pytest.approx((figures["s1_loss"] + figures["s2_loss"]) / 2)
    assert figures["s1_loss"] == pytest.approx(s1_loss.item(), rel=1e-5)


def test_the_predictor_is_validated_causally(tokenizer: KronosTokenizer, samples: WindowSampler) -> None:
    stage = predictor_stage(tokenizer)
    stage.module.eval()
    s1, s2 = tokenizer.encode(samples(0).x, half=True)
    stamp = samples(0).stamp
    seen = []

    def record(*ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(stage.module.causal_logits(*ids))
        return seen[-1]

    stage._logits = record
    batch = samples(0)
    stage.validate([batch])
    batch.x[:, -1] = 4.0  # another future
    stage.validate([batch])
    for ours, other in zip(*seen, strict=True):
        assert torch.equal(ours[:, :-1], other[:, :-1])
    leaky = [
        stage.module(a[:, :-1], s2[:, :-1], stamp[:, :-1], use_teacher_forcing=True, s1_targets=a[:, 1:])[1]
        for a in (s1, torch.cat((s1[:, :-2], (s1[:, -2:] + 1) % 16), dim=1))
    ]
    assert not torch.allclose(leaky[0][:, :-3], leaky[1][:, :-3])


def test_the_tokenizer_is_frozen_while_the_predictor_learns(
    tmp_path: Path,
    tokenizer: KronosTokenizer,
    config: TrainingConfig,
    samples: WindowSampler,
    validation: WindowSampler,
) -> None:
    before = digest(tokenizer)
    stage = predictor_stage(tokenizer.train())
    train(stage, config, samples, validation, tmp_path)
    assert digest(tokenizer) == before
    assert not tokenizer.training
