"""Several processes train as one would with all of their windows, and none waits for one that is gone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from tests.training import children
from tests.training.staging import CALM, figures, keep, losses, make_stage, train, with_stage
from training.fit.corpus import Corpus
from training.fit.distributed import World
from training.run.config import RunConfig

ROOT = Path(__file__).parents[3]
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")


def test_one_process_is_a_world_of_its_own() -> None:
    world = World.from_environment("cpu")
    assert world == World.alone("cpu")
    assert world.first
    numbers, values, module = np.arange(5), torch.ones(2), torch.nn.Linear(2, 2)
    assert world.share(numbers).tolist() == [0, 1, 2, 3, 4]
    assert world.sum(values) is values
    assert world.wrap(module) is module
    assert world.gather({"a": 1}) == [{"a": 1}]
    assert world.broadcast("x") == "x"
    assert world.broadcast_tensors({"a": values}) == {"a": values}
    world.barrier()
    world.close()


def test_shares_are_all_windows_and_none_twice() -> None:
    numbers = np.arange(7)
    shares = [World(rank, 3, torch.device("cpu")).share(numbers).tolist() for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4], [2, 5]]


def test_two_processes_under_torchrun_train_as_one(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    keep(corpus, tmp_path / "corpus.npz")
    settings = {"batch": 6, "steps": 8, "ema": 0.9, "weight_decay": 0.1, "validation_windows": 7}
    for parts in (1, 2):
        changed = config
        for name in config.stages:
            changed = with_stage(changed, name, accumulate=parts, **settings)
        (tmp_path / f"{parts}.json").write_text(changed.model_dump_json())
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "tests.training.together", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for path in tmp_path.glob("*.json"):
        changed = RunConfig.model_validate_json(path.read_text())
        for name in changed.stages:
            stage = make_stage(name, corpus, changed, **(CALM if name == "predictor" else {}))
            alone, together = tmp_path / "alone" / path.stem / name, tmp_path / "together" / path.stem / name
            train(stage, corpus, changed, alone)
            assert losses(together) == pytest.approx(losses(alone), abs=1e-5)
            for ours, theirs in zip(figures(together), figures(alone), strict=True):
                assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)
            network = Kronos if name == "predictor" else KronosTokenizer
            best = [network.from_pretrained(folder / "best").state_dict() for folder in (together, alone)]
            torch.testing.assert_close(*best, atol=1e-4, rtol=0)


@needs_fork
def test_processes_tell_one_another(tmp_path: Path) -> None:
    processes = children.start_together(children.speak, tmp_path)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["0", "1"]


@needs_fork
def test_a_process_whose_companion_dies_does_not_wait_for_it(tmp_path: Path, corpus: Corpus, config: RunConfig) -> None:
    processes = children.start_together(children.train_together, "predictor", corpus, config, "death", 3, tmp_path)
    for process in processes:
        process.join(40)
    assert processes[0].exitcode not in {0, None}
    assert sorted(losses(tmp_path)) == [1, 2]


@needs_fork
def test_processes_pause_together_and_go_on_as_if_never_stopped(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    config = with_stage(config, "predictor", checkpoint_every=100)
    for folder, moments in (("parts", ["pause", ""]), ("whole", [""])):
        for moment in moments:
            processes = children.start_together(
                children.train_together, "predictor", corpus, config, moment, 2, tmp_path / folder
            )
            for process in processes:
                process.join(60)
            assert [process.exitcode for process in processes] == [children.PAUSED if moment else 0] * 2
    assert figures(tmp_path / "parts") == figures(tmp_path / "whole")


@needs_fork
def test_all_processes_stop_and_name_the_windows_of_any_of_them(
    tmp_path: Path, corpus: Corpus, config: RunConfig
) -> None:
    values = corpus.values.copy()
    values[corpus.of("train").segments[0].start :][:900] = np.nan
    spoilt = replace(corpus, values=values)
    folder = tmp_path / "run"
    processes = children.start_together(children.train_together, "tokenizer", spoilt, config, "", 0, folder)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [children.DIVERGED] * 2
    told = {folder.with_suffix(f".{rank}").read_text() for rank in range(2)}
    assert len(told) == 1
    assert "(A from 2024-" in told.pop()
