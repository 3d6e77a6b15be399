"""A run on a Ray cluster of two local workers learns what one process learns."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.errors import RunError
from training.run.cluster import run_on_cluster
from training.run.config import RunConfig
from training.run.launch import ROOT, create_run, run_training

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs requirements-cluster.txt")


@pytest.fixture
def plain(config: RunConfig) -> RunConfig:
    """Settings without dropout, which each process draws for itself, and without forecasts."""
    assert config.base.shape is not None
    shape = {name: 0.0 if name.endswith("dropout_p") else value for name, value in config.base.shape.items()}
    stage = config.stage("predictor").model_copy(update={"steps": 3})
    changes = {
        "base": config.base.model_copy(update={"shape": shape}),
        "judge": config.judge.model_copy(update={"cutoffs": 0, "final_cutoffs": 0}),
        "tokenizer": stage,
        "predictor": stage,
    }
    return config.model_copy(update=changes)


def losses(run: Path) -> list[float]:
    rows = [
        json.loads(line)
        for stage in ("tokenizer", "predictor")
        for line in (run / stage / "log.jsonl").read_text().splitlines()
    ]
    return [row[name] for row in rows for name in ("loss", "validation_loss") if name in row]


@needs_ray
@pytest.mark.timeout(1800)  # Ray starts seven processes, each of which imports much, perhaps on a busy machine
def test_two_workers_of_a_cluster_get_the_losses_of_one_process(plain: RunConfig, tmp_path: Path) -> None:
    alone = create_run(plain, tmp_path / "alone")
    run_training(alone)
    both = create_run(plain, tmp_path / "both")
    # A process of its own: Ray's threads outlive `ray.shutdown`.
    command = [sys.executable, "-m", "training", "cluster", str(both.path), "--workers", "2"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"Result: {both.export}" in done.stdout
    assert losses(both.path) == pytest.approx(losses(alone.path), abs=1e-4)
    assert (both.export / "model" / "model.safetensors").exists()


def test_without_ray_the_command_says_how_to_get_it(plain: RunConfig, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r"pip install -r requirements-cluster\.txt"):
        run_on_cluster(create_run(plain, tmp_path / "run"), 2)


@needs_ray
def test_a_cluster_that_is_not_there_is_named(plain: RunConfig, tmp_path: Path) -> None:
    run = create_run(plain, tmp_path / "run")
    command = [sys.executable, "-m", "training", "cluster", str(run.path), "--workers", "2", "--address", "auto"]
    nobody = os.environ | {"RAY_TMPDIR": str(tmp_path)}  # where Ray notes the clusters of this machine
    done = subprocess.run(command, check=False, cwd=ROOT, env=nobody, capture_output=True, text=True)
    assert done.returncode == 2
    assert "The Ray cluster auto cannot be reached" in done.stderr
