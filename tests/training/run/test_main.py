"""The command line, end to end on a run of seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch

from engine.predictor import KronosPredictor
from training.__main__ import RECIPES, main
from training.run.config import RunConfig
from training.run.config_file import read_config, write_config
from training.run.folder import RunFolder
from training.run.launch import ROOT, create_run

GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def file(tmp_path: Path, config: RunConfig) -> Path:
    """A config file of a run without forecasts: most commands have nothing to do with them."""
    path = tmp_path / "run.yaml"
    write_config(
        config.model_copy(update={"judge": config.judge.model_copy(update={"cutoffs": 0, "final_cutoffs": 0})}), path
    )
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one"


def call(*arguments: object) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Return the one line with which a command ends that cannot be done."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def losses(run: Path, stage: str = "predictor") -> list[float]:
    lines = (run / stage / "log.jsonl").read_text().splitlines()
    return [row["loss"] for row in map(json.loads, lines) if "loss" in row]


def weights(export: Path) -> dict[str, bytes]:
    return {part: (export / part / "model.safetensors").read_bytes() for part in ("model", "tokenizer")}


def test_prepare_says_what_there_is_to_learn_from(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(file.parent.rglob("*"))
    call("prepare", file)
    split, *rows = [line.split() for line in capsys.readouterr().out.splitlines()[:4]]
    assert split == ["split", "windows", "candles", "symbols", "from", "to"]
    assert [row[:2] for row in rows] == [["train", "1,436"], ["validation", "268"], ["test", "268"]]
    assert sorted(file.parent.rglob("*")) == before


def test_what_was_prepared_in_a_runs_folder_is_used_by_the_run(file: Path, out: Path) -> None:
    call("prepare", file, "--out", out)
    made = (out / "prepared" / "values.npy").stat().st_mtime_ns
    call("resume", out)
    assert (out / "prepared" / "values.npy").stat().st_mtime_ns == made
    assert len(losses(out)) == 6


def test_settings_may_change_as_long_as_nothing_was_trained(file: Path, out: Path) -> None:
    call("prepare", file, "--out", out)
    call("predictor", file, "--out", out, "--set", "predictor.steps=1")
    assert len(losses(out)) == 1


def test_a_whole_run_is_trained_judged_and_exported(
    config: RunConfig, file: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_config(config, file)
    call("all", file, "--out", out, "--set", "predictor.steps=4", "judge.samples=3")
    said = capsys.readouterr().out
    assert f"Result: {out / 'export'}" in said
    assert "On the test split: " in said
    kept = read_config(out / "config.yaml")
    assert kept.predictor is not None
    assert (kept.predictor.steps, kept.judge.samples) == (4, 3)
    assert (len(losses(out, "tokenizer")), len(losses(out))) == (6, 4)
    exported = out / "export"
    model = KronosPredictor.from_pretrained(exported / "model", tokenizer=exported / "tokenizer", device="cpu")
    assert model.digest == json.loads((exported / "kronos.json").read_text())["digest"]
    assert "predictor" in (out / "run.log").read_text()
    call("status", out)
    assert "finished" in capsys.readouterr().out


def test_the_training_of_the_bundled_model_is_repeated_on_a_folder_of_candles(
    data: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in data.glob("*/*.parquet"):
        frame = pd.read_parquet(path)
        frame.assign(split=frame["symbol"].map({"A": "train", "B": "val"})).to_parquet(path)
    short = ["steps=1", "batch=2", "validation_windows=2"]
    settings = [f"{stage}.{setting}" for stage in ("tokenizer", "predictor") for setting in short]
    settings += ["window.lookback=24", "window.horizon=8", "window.lookback_min=8", "machine.compile=false"]
    call("reproduce", "kronos-nano", "--data", data, "--out", out, "--set", *settings)
    # Each run knows what the one before learned from.
    assert "It is not known until when" not in capsys.readouterr().out
    exports = [out / recipe.stem / "export" for recipe in sorted((RECIPES / "kronos-nano").glob("*.yaml"))]
    made_by = [weights(export) for export in exports]
    changed = [{part for part in now if now[part] != before[part]} for before, now in pairwise(made_by)]
    assert changed == [{"model", "tokenizer"}, {"tokenizer"}]  # both networks go on; at the end only the decoder learns
    export, shipped = exports[-1], KronosPredictor.from_pretrained("kronos-nano", device="cpu")
    made = KronosPredictor.from_pretrained(export / "model", tokenizer=export / "tokenizer", device="cpu")
    assert made.model.config == shipped.model.config
    assert made.tokenizer.config.shared_deviation == shipped.tokenizer.config.shared_deviation
    shapes = [{name: t.shape for name, t in one.tokenizer.state_dict().items()} for one in (made, shipped)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("command", "other"), [("tokenizer", "predictor"), ("predictor", "tokenizer")])
def test_one_stage_alone_is_trained(file: Path, out: Path, command: str, other: str) -> None:
    call(command, file, "--out", out, "--set", f"{command}.steps=2")
    assert len(losses(out, command)) == 2
    assert not (out / other).exists()


def test_the_same_command_again_goes_on_where_the_run_is(file: Path, out: Path) -> None:
    call("predictor", file, "--out", out)
    log = (out / "predictor" / "log.jsonl").read_bytes()
    call("predictor", file, "--out", out)
    assert (out / "predictor" / "log.jsonl").read_bytes() == log


def test_another_config_in_the_same_folder_is_refused_and_told_apart(
    file: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predictor", file, "--out", out, "--set", "predictor.steps=1")
    said = refused(capsys, "predictor", file, "--out", out, "--set", "predictor.steps=2", "seed=5")
    assert "seed: 0 → 5, predictor.steps: 1 → 2" in said
    assert "tokenizer: None → set" in refused(capsys, "all", file, "--out", out, "--set", "predictor.steps=1")
    assert len(losses(out)) == 1


def test_a_run_that_was_asked_to_pause_stops_and_is_resumed(
    file: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predictor", file, "--out", out.with_name("other"))
    run = create_run(read_config(file).model_copy(update={"tokenizer": None}), out)
    call("pause", out)
    call("resume", out)
    assert f"python -m training resume {out}" in capsys.readouterr().out
    assert run.status().state == "paused"
    assert len(losses(out)) < 6
    os.utime(out / "request.json", (0, 0))  # as if it had been asked before this process began
    call("resume", out)
    assert run.status().state == "finished"
    assert losses(out) == losses(out.with_name("other"))


def test_a_run_that_was_asked_to_stop_keeps_the_best_so_far(file: Path, out: Path) -> None:
    run = create_run(read_config(file).model_copy(update={"tokenizer": None}), out)
    call("stop", out)
    call("resume", out)
    assert run.status().stopped
    assert run.status().state == "finished"
    assert (out / "export" / "model" / "model.safetensors").exists()


def child(out: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.Popen(command, cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctrl_c_pauses(file: Path, out: Path) -> None:
    trainer = child(out, "predictor", file, "--out", out, "--set", "predictor.steps=100000")
    try:
        while len(losses(out) if (out / "predictor" / "log.jsonl").exists() else []) < 3:
            assert trainer.poll() is None, trainer.communicate()[1]
            time.sleep(0.05)
        trainer.send_signal(signal.SIGINT)
        said, _ = trainer.communicate()
    finally:
        trainer.kill()
    assert trainer.returncode == 0
    assert f"python -m training resume {out}" in said
    assert RunFolder(out).status().state == "paused"


def test_several_processes_are_started_where_the_config_asks_for_them(file: Path, out: Path) -> None:
    trainer = child(out, "predictor", file, "--out", out, "--set", "machine.processes=2", "predictor.steps=2")
    said, warned = trainer.communicate()
    assert trainer.returncode == 0, warned
    assert said.count(f"Result: {out / 'export'}") == 1
    assert len(losses(out)) == 2


def test_a_checkpoint_is_exported_in_half_precision(file: Path, out: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    call("predictor", file, "--out", out, "--set", "predictor.steps=1")
    call("export", out / "predictor" / "best", "--out", tmp_path / "half")
    weights = load_file(tmp_path / "half" / "model.safetensors")
    assert weights["norm.weight"].dtype == torch.float16
    call("export", out, "--out", tmp_path / "both")
    assert load_file(tmp_path / "both" / "model" / "model.safetensors")["norm.weight"].dtype == torch.float16


def test_curves_are_drawn(file: Path, out: Path, tmp_path: Path) -> None:
    call("predictor", file, "--out", out, "--set", "predictor.steps=2")
    call("curves", out, "--out", tmp_path / "curves.svg")
    assert "<!-- predictor -->" in (tmp_path / "curves.svg").read_text()


def test_a_wrong_setting_is_named_before_anything_is_written(file: Path, out: Path, capsys) -> None:
    assert "learning_rat" in refused(capsys, "all", file, "--out", out, "--set", "predictor.learning_rat=1")
    assert not out.exists()


def test_a_stage_that_the_config_lacks_is_named(file: Path, out: Path, capsys) -> None:
    said = refused(capsys, "tokenizer", file, "--out", out, "--set", "tokenizer=null")
    assert "The config has no section tokenizer" in said


def test_a_folder_with_other_files_is_left_alone(file: Path, out: Path, capsys) -> None:
    out.mkdir(parents=True)
    (out / "thesis.doc").touch()
    assert "holds other files" in refused(capsys, "all", file, "--out", out)
    assert [path.name for path in out.iterdir()] == ["thesis.doc"]


def test_a_failed_run_ends_in_one_line(file: Path, out: Path, capsys) -> None:
    said = refused(
        capsys,
        "predictor",
        file,
        "--out",
        out,
        "--set",
        "base.tokenizer=/nowhere/tokenizer",
        "base.tokenizer_shape=null",
    )
    assert "/nowhere/tokenizer" in said
    assert RunFolder(out).status().state == "failed"


@pytest.mark.parametrize("command", ["resume", "pause", "stop", "status"])
def test_a_folder_without_a_run_is_named(tmp_path: Path, command: str, capsys) -> None:
    assert "has no config.yaml" in refused(capsys, command, tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "nowhere", "--out", "half"),
        ("push", "nowhere", "acme/tuned"),
        ("curves", "nowhere", "--out", "a.svg"),
    ],
)
def test_what_is_not_there_is_an_error_without_a_traceback(arguments: tuple[str, ...], capsys) -> None:
    assert "nowhere" in refused(capsys, *arguments)


def test_a_model_is_judged_on_a_folder_of_candles(tmp_path: Path, data: Path, capsys) -> None:
    for path in data.glob("*/*.parquet"):
        pd.read_parquet(path).assign(split="val").to_parquet(path)
    scores = tmp_path / "scores.csv"
    judge = ["evaluate", GOLDEN / "model", "--tokenizer", GOLDEN / "tokenizer", "--data", data, "--out", scores]
    call(*judge, "--lookback", 40, "--horizon", 5, "--cutoffs", 2, "--samples", 4)
    assert "ewma" in capsys.readouterr().out
    frame = pd.read_csv(scores)
    assert {"model", "ewma"} <= set(frame["forecaster"])
    assert (frame["crps"] > 0).all()


def test_a_split_that_is_not_there_is_an_error(data: Path, capsys) -> None:
    for path in data.glob("*/*.parquet"):
        pd.read_parquet(path).assign(split="train").to_parquet(path)
    refused(capsys, "evaluate", GOLDEN / "model", "--tokenizer", GOLDEN / "tokenizer", "--data", data)
