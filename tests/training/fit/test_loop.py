"""The loop learns, validates, keeps the best, ends when asked to, and stops before it spoils a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.loading.checkpoint import digest
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training.staging import CALM, figures, losses, make_stage, samplers, train, with_stage
from training.errors import ConfigError, DataError, Diverged, RunError
from training.fit.adaptation import adapt
from training.fit.advice import advise_rate
from training.fit.corpus import Corpus
from training.fit.distributed import World
from training.fit.log import Log
from training.fit.loop import Paused, StageTraining, StepReport, Validation
from training.run.config import MethodConfig, RunConfig, StageName
from training.run.folder import StopRequest
from training.saved import load_rows

STAGES: tuple[StageName, ...] = ("tokenizer", "predictor")


@pytest.mark.parametrize("name", STAGES)
def test_both_networks_learn(name: StageName, tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    config = with_stage(config, name, steps=40, validate_every=20, learning_rate=5e-3, batch=8, log_every=1)
    result = train(make_stage(name, corpus, config), corpus, config, tmp_path)
    by_step = losses(tmp_path)
    assert np.mean([by_step[step] for step in range(36, 41)]) < 0.95 * by_step[1]
    validations = {row["step"]: row["validation_loss"] for row in figures(tmp_path) if "validation_loss" in row}
    assert [*validations] == [20, 40]
    assert result.best_loss == min(validations.values()) == validations[result.best_step]
    assert (result.step, result.stopped) == (40, False)


@pytest.mark.parametrize("name", STAGES)
def test_the_best_network_is_kept_and_loads(name: StageName, tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    seen: list[Validation] = []
    stage = make_stage(name, corpus, config)
    result = train(stage, corpus, config, tmp_path, on_validation=lambda found: seen.append((found, found.network)[0]))
    best = (Kronos if name == "predictor" else KronosTokenizer).from_pretrained(tmp_path / "best")
    [kept] = [found for found in seen if found.step == result.best_step]
    assert kept.best
    assert digest(best) == digest(kept.network)
    assert not kept.network.training


def test_steps_are_reported(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    reports: list[StepReport] = []
    train(make_stage("predictor", corpus, config), corpus, config, tmp_path, on_step=reports.append)
    assert [(report.step, report.steps) for report in reports] == [(step, 6) for step in range(1, 7)]
    assert {report.step: report.loss for report in reports} == losses(tmp_path)
    assert all(report.windows_per_second > 0 and report.gradient_norm > 0 for report in reports)
    assert [report.remaining is None for report in reports] == [True] + [False] * 5
    assert reports[-1].remaining == 0


def test_a_row_of_the_log_has_the_mean_loss_since_the_last(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    train(make_stage("predictor", corpus, config), corpus, config, tmp_path / "each")
    sparse = with_stage(config, "predictor", log_every=4)
    train(make_stage("predictor", corpus, sparse), corpus, sparse, tmp_path / "sparse")
    each = losses(tmp_path / "each")
    assert losses(tmp_path / "sparse") == pytest.approx(
        {4: np.mean([each[step] for step in (1, 2, 3, 4)]), 6: np.mean([each[5], each[6]])}
    )


def test_trackers_get_the_rows_of_the_log(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    rows: list[dict[str, Any]] = []

    def on_figures(step: int, values: dict[str, float]) -> None:
        rows.append({"step": step, **values})

    train(make_stage("tokenizer", corpus, config), corpus, config, tmp_path, on_figures=on_figures)
    assert [{k: v for k, v in row.items() if k != "windows_per_second"} for row in rows] == figures(tmp_path)


@pytest.mark.parametrize("name", STAGES)
def test_accumulated_parts_give_the_losses_of_the_whole_batch(
    name: StageName, tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    for parts in (1, 4):
        changed = with_stage(config, name, accumulate=parts, batch=6, clip=0.5)  # parts of unequal size
        stage = make_stage(name, corpus, changed, **{k: v for k, v in CALM.items() if name == "predictor"})
        train(stage, corpus, changed, tmp_path / str(parts))
    assert losses(tmp_path / "4") == pytest.approx(losses(tmp_path / "1"), abs=1e-6)


def test_the_same_config_gives_the_same_losses_and_another_seed_others(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    for folder, seed in (("one", 0), ("again", 0), ("other", 1)):
        changed = config.model_copy(update={"seed": seed})
        train(make_stage("predictor", corpus, changed), corpus, changed, tmp_path / folder)
        torch.manual_seed(99)  # what others draw does not matter
    assert figures(tmp_path / "one") == figures(tmp_path / "again")
    assert losses(tmp_path / "one") != losses(tmp_path / "other")


def test_training_ends_early_where_nothing_improves(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    config = with_stage(config, "predictor", steps=50, validate_every=1, patience=3, learning_rate=1e-12, ema=0.0)
    stage = make_stage("predictor", corpus, config)
    result = train(stage, corpus, config, tmp_path)
    assert result.step == result.best_step + 3 < 50
    assert not result.stopped
    rows = load_rows(tmp_path / "log.jsonl")
    assert train(make_stage("predictor", corpus, config), corpus, config, tmp_path) == result  # it is over
    assert load_rows(tmp_path / "log.jsonl") == rows


def asked(wish: StopRequest, step: int) -> Any:
    """Return what has somebody wish at the end of `step`."""
    answers = iter([None] * (step - 1) + [wish])
    return lambda: next(answers, None)


def test_asked_to_keep_it_validates_keeps_the_best_and_is_over(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    config = with_stage(config, "predictor", validate_every=100)
    result = train(make_stage("predictor", corpus, config), corpus, config, tmp_path, stop_request=asked("keep", 2))
    assert (result.step, result.best_step, result.stopped) == (2, 2, True)
    assert Kronos.from_pretrained(tmp_path / "best")
    assert train(make_stage("predictor", corpus, config), corpus, config, tmp_path) == result


@pytest.mark.parametrize("muon_rate", [None, 0.02])
def test_a_paused_run_goes_on_as_if_it_had_not_been_paused(
    tmp_path: Path, corpus: Corpus, config: RunConfig, muon_rate: float | None
) -> None:
    changes = {"checkpoint_every": 100, "log_every": 4, "ema": 0.9, "accumulate": 2, "muon_rate": muon_rate}
    config = with_stage(config, "predictor", **changes)
    whole = make_stage("predictor", corpus, config)
    expected = train(whole, corpus, config, tmp_path / "whole")
    with pytest.raises(Paused) as paused:
        train(
            make_stage("predictor", corpus, config), corpus, config, tmp_path / "parts", stop_request=asked("pause", 2)
        )
    assert paused.value.step == 2
    resumed = make_stage("predictor", corpus, config)
    assert train(resumed, corpus, config, tmp_path / "parts") == expected
    assert digest(resumed.module) == digest(whole.module)
    assert figures(tmp_path / "parts") == figures(tmp_path / "whole")


def test_a_moving_average_is_what_is_validated_and_kept(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    config = with_stage(config, "predictor", steps=2, validate_every=2, ema=0.999, learning_rate=1e-2)
    stage = make_stage("predictor", corpus, config)
    name, parameter = "head.proj_s1.weight", stage.module.head.proj_s1.weight  # type: ignore[union-attr]
    weights = [parameter.detach().clone()]
    train(stage, corpus, config, tmp_path, on_step=lambda _: weights.append(parameter.detach().clone()))
    expected = weights[0]
    for done in (1, 2):
        decay = min(0.999, (1 + done) / (10 + done))
        expected = decay * expected + (1 - decay) * weights[done]
    best = Kronos.from_pretrained(tmp_path / "best").state_dict()[name]
    torch.testing.assert_close(best, expected)
    assert torch.equal(parameter, weights[2])  # training goes on with the weights themselves


@pytest.mark.parametrize(("kind", "name"), [("lora", "predictor"), ("lora", "tokenizer"), ("frozen", "predictor")])
def test_only_the_parameters_of_the_method_change(
    kind: str, name: StageName, tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    method = MethodConfig.model_validate({"kind": kind, "frozen_layers": int(kind == "frozen"), "lora": {"rank": 2}})
    stage = make_stage(name, corpus, config)
    adapt(stage.module, method, name)
    before = {key: tensor.clone() for key, tensor in stage.module.state_dict().items()}
    with pytest.raises(Paused):
        train(stage, corpus, config, tmp_path, stop_request=asked("pause", 4))
    resumed = make_stage(name, corpus, config)
    adapt(resumed.module, method, name)
    train(resumed, corpus, config, tmp_path)
    wanted = {key for key, parameter in stage.module.named_parameters() if parameter.requires_grad}
    changed = {key for key, tensor in resumed.module.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed == wanted
    assert (Kronos if name == "predictor" else KronosTokenizer).from_pretrained(tmp_path / "best")


def test_a_checkpoint_of_another_method_is_refused(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    train(make_stage("predictor", corpus, config), corpus, config, tmp_path)
    stage = make_stage("predictor", corpus, config)
    adapt(stage.module, MethodConfig(kind="lora"), "predictor")
    with pytest.raises(RunError, match="has another network or method"):
        train(stage, corpus, config, tmp_path)


def test_activations_computed_again_give_the_same_losses(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    lean = config.model_copy(update={"machine": config.machine.model_copy(update={"checkpoint_activations": True})})
    for folder, changed in (("plain", config), ("lean", lean)):
        train(make_stage("predictor", corpus, changed), corpus, changed, tmp_path / folder)
    assert losses(tmp_path / "lean") == pytest.approx(losses(tmp_path / "plain"), abs=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what torch.compile imports
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # of how it looks at inputs
def test_where_nothing_can_be_compiled_it_goes_on_and_says_so(
    tmp_path: Path, corpus: Corpus, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    import torch._inductor.config
    from torch._inductor.utils import fresh_cache

    shape = CALM | {"n_layers": 1}  # what is compiled drops out in another way
    compiled = config.model_copy(update={"machine": config.machine.model_copy(update={"compile": True})})
    train(make_stage("predictor", corpus, config, **shape), corpus, config, tmp_path / "plain")
    torch._dynamo.reset()
    with fresh_cache(), torch._inductor.config.patch({"cpp.cxx": ("/no/compiler",)}):
        train(make_stage("predictor", corpus, compiled, **shape), corpus, compiled, tmp_path / "compiled")
    [told] = [record.getMessage() for record in caplog.records if record.name == "engine.compiling"]
    assert told.startswith("torch.compile failed, continuing without it")
    assert losses(tmp_path / "compiled") == losses(tmp_path / "plain")


@pytest.mark.parametrize("name", STAGES)
def test_half_precision_is_near_whole_precision(
    name: StageName, tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    half = config.model_copy(update={"machine": config.machine.model_copy(update={"precision": "bfloat16"})})
    for folder, changed in (("whole", config), ("half", half)):
        train(make_stage(name, corpus, changed), corpus, changed, tmp_path / folder)
    whole, halved = losses(tmp_path / "whole"), losses(tmp_path / "half")
    assert halved != whole
    assert halved == pytest.approx(whole, rel=0.02)


def test_without_a_learning_rate_the_advised_one_is_taken(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    config = with_stage(config, "predictor", learning_rate=None, schedule="cosine", warmup=0.5)
    train(make_stage("predictor", corpus, config), corpus, config, tmp_path)
    advised = advise_rate("predictor", samplers(corpus, config)[0].windows, scratch=True)[0]
    assert max(row.get("learning_rate", 0.0) for row in figures(tmp_path)) == pytest.approx(advised)


def broken(corpus: Corpus, symbol_row: int) -> Corpus:
    """Return the corpus with a candle that is no number, as a damaged file would have it."""
    values = corpus.values.copy()
    values[symbol_row] = np.nan
    return Corpus(values, corpus.marks, corpus.times, corpus.segments)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_loss_that_is_not_finite_names_its_windows_and_keeps_the_last_checkpoint(
    parts: int, tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    config = with_stage(config, "tokenizer", steps=60, validate_every=60, checkpoint_every=1, accumulate=parts)
    spoilt = broken(corpus, symbol_row=400)
    stage = make_stage("tokenizer", spoilt, config)
    with pytest.raises(Diverged) as error:
        train(stage, spoilt, config, tmp_path)
    step = error.value.message.params["step"]
    assert 1 < step <= 60
    assert error.value.message.params["count"] == 1
    assert "in 1 windows of the batch (A from 2024-01-1" in str(error.value)
    assert max(path.name for path in (tmp_path / "checkpoints").iterdir()) == f"step-{step - 1:08d}"
    assert all(parameter.isfinite().all() for parameter in stage.module.parameters())
    assert len(losses(tmp_path)) == step - 1


def test_a_gradient_that_is_not_finite_stops_before_it_reaches_the_weights(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    stage = make_stage("tokenizer", corpus, config)
    before = digest(stage.module)
    handle = stage.module.head.bias.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[union-attr]
    with pytest.raises(Diverged, match="at step 1, in 4 windows"):
        train(stage, corpus, config, tmp_path)
    handle.remove()
    assert digest(stage.module) == before


def test_a_validation_loss_that_is_not_finite_is_never_the_best(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    held_out = corpus.of("validation").segments[0]
    values = corpus.values.copy()
    values[held_out.start : held_out.stop] = np.nan
    spoilt = Corpus(values, corpus.marks, corpus.times, corpus.segments)
    with pytest.raises(Diverged, match="validation loss is not finite after step 3"):
        train(make_stage("tokenizer", spoilt, config), spoilt, config, tmp_path)
    assert not (tmp_path / "best").exists()


def test_nothing_to_validate_with_is_an_error(
    tmp_path: Path, corpus: Corpus, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows, validation = samplers(corpus, config)
    monkeypatch.setattr(validation, "first_n", lambda n: np.empty(0, dtype=np.int64))
    stage = make_stage("predictor", corpus, config)
    with pytest.raises(DataError, match="no validation window"):
        StageTraining(stage, config, windows, validation, tmp_path, World.alone("cpu")).run()


def test_fewer_windows_than_processes_are_refused(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    crowd = World(0, 5, torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"predictor\.batch is 4, but there are 5 processes"):
        train(make_stage("predictor", corpus, config), corpus, config, tmp_path, crowd)


def test_the_tokenizer_stays_as_it_is_while_the_predictor_learns(
    tmp_path: Path, corpus: Corpus, config: RunConfig, tokenizer: KronosTokenizer
) -> None:
    stage = make_stage("predictor", corpus, config)
    train(stage, corpus, config, tmp_path)
    assert digest(stage._tokens.tokenizer) == digest(tokenizer)  # type: ignore[attr-defined]


def test_rows_after_the_step_resumed_from_and_half_rows_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.0}\n{"step": 3, "loss": 1.0}\n{"step": 4, "lo')
    assert [row["step"] for row in load_rows(path)] == [1, 2, 3]
    log = Log(path, 2)
    log.write({"step": 3, "loss": 1.5})
    assert load_rows(path) == [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 1.5}]
    assert load_rows(tmp_path / "none.jsonl") == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written to"):
        train(make_stage("predictor", corpus, config), corpus, config, tmp_path / "file")
