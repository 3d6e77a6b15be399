"""A trial does real steps in another process, and says why where it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import PREDICTOR
from training.errors import ConfigError, DataError, RunError
from training.fit.adaptation import adapt, trained_parameters
from training.fit.building import build_base
from training.fit.corpus import Corpus
from training.run import estimate as estimating
from training.run.config import RunConfig, StageName
from training.run.estimate import Estimate, estimate


def changed(config: RunConfig, **sections: Any) -> RunConfig:
    return RunConfig.model_validate(config.model_dump(mode="json") | sections)


def tried_here(folder: Path, config: RunConfig, corpus: Corpus, stage: StageName, **options: Any) -> dict[str, Any]:
    """Do what the child does."""
    estimating._write_trial(folder, config, corpus, stage, 2, 60, **options)
    estimating._run_trial(folder)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return found


def test_a_trial_measures_steps_and_memory_of_a_process_of_its_own(config: RunConfig, corpus: Corpus) -> None:
    found = estimate(config, corpus, "predictor", steps=1)
    base = build_base(config)
    size = sum(parameter.numel() for parameter in base.predictor.parameters())
    assert (found.trained, found.parameters) == (size, size)
    assert 0 < found.seconds_per_step < 60
    assert found.memory_bytes > 50e6  # PyTorch alone takes that
    assert found.seconds_to_start > 0
    assert found.seconds_per_validation > 0
    assert found.seconds_per_cutoff is None


def test_a_trial_measures_the_scoring_of_a_cutoff(config: RunConfig, corpus: Corpus, tmp_path: Path) -> None:
    found = tried_here(tmp_path, config, corpus, "predictor", scoring=True)
    assert 0 < found["seconds_per_cutoff"] < 60


def test_a_trial_that_fails_says_why(config: RunConfig, corpus: Corpus) -> None:
    unfit = changed(config, base={"model": None, "shape": PREDICTOR | {"s1_bits": 5}, "tokenizer_shape": {"d_in": 6}})
    with pytest.raises(RunError, match=r"base\.tokenizer_shape is not a valid network"):
        estimate(unfit, corpus, "predictor")


@pytest.mark.parametrize("stage", ["tokenizer", "predictor"])
def test_adapters_accumulation_and_recomputed_activations_are_tried_as_configured(
    stage: StageName, config: RunConfig, corpus: Corpus, tmp_path: Path
) -> None:
    settings = changed(
        config,
        method={"kind": "lora", "lora": {"rank": 2}},
        machine={"device": "cpu", "threads": 1, "checkpoint_activations": True},
        **{stage: {"batch": 6, "accumulate": 3, "learning_rate": 1e-3}},
    )
    found = tried_here(tmp_path, settings, corpus, stage)
    adapted = adapt(getattr(build_base(settings), stage), settings.method, stage)
    assert (found["trained"], found["parameters"]) == trained_parameters(adapted)
    assert 0 < found["trained"] < found["parameters"] / 2
    assert not (tmp_path / stage / "checkpoints").exists()


def test_only_a_batch_of_windows_leaves_the_corpus(config: RunConfig, corpus: Corpus, tmp_path: Path) -> None:
    estimating._write_trial(tmp_path, config, corpus, "predictor", 2, 60)
    windows = estimating._read_windows(tmp_path, config.window.size)
    assert len(windows.segments) == config.stage("predictor").batch
    assert len(windows.values) == len(windows.times) == 4 * config.window.size
    first = windows.times[:: config.window.size]
    assert set(first.tolist()) <= set(corpus.times.tolist())


def test_processes_share_the_batch_and_add_up_their_memory(config: RunConfig, corpus: Corpus, tmp_path: Path) -> None:
    two = changed(config, machine={"device": "cpu", "processes": 2})
    estimating._write_trial(tmp_path, two, corpus, "predictor", 2, 60)
    trial = json.loads((tmp_path / "trial.json").read_text())
    assert trial["config"]["predictor"]["batch"] == 2
    found = Estimate(1.5, 100, 3, 4, 5.0)
    (tmp_path / "found.json").write_text(json.dumps(vars(found)))
    assert estimating._read_result(tmp_path, "", 60, 2) == Estimate(1.5, 200, 3, 4, 5.0)


def test_no_further_step_begins_when_time_is_up(config: RunConfig, corpus: Corpus, tmp_path: Path) -> None:
    estimating._write_trial(tmp_path, config, corpus, "predictor", 1000, 0)
    estimating._run_trial(tmp_path)
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["seconds_per_step"] > 0


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("", "no step was completed in 60 s"),
        ("Traceback\n  line\nOSError: the library is missing.\n", "library is missing"),
    ],
)
def test_a_child_that_found_nothing_is_an_error(said: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"The trial failed: .*{message}"):
        estimating._read_result(tmp_path, said, 60, 1)


def test_series_that_are_too_short_are_an_error_before_anything_starts(config: RunConfig, corpus: Corpus) -> None:
    long = changed(config, window={"lookback": 2000, "horizon": 10})
    with pytest.raises(DataError, match="No series has 2010 candles"):
        estimate(long, corpus, "predictor")


def test_a_config_that_cannot_be_adapted_is_told_as_such(config: RunConfig, corpus: Corpus, tmp_path: Path) -> None:
    deep = changed(config, method={"kind": "frozen", "frozen_layers": 9})
    with pytest.raises(ConfigError, match=r"frozen_layers is 9, but the predictor has only 2"):
        tried_here(tmp_path, deep, corpus, "predictor")
