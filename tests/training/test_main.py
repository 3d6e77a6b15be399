"""The command line, end to end on a corpus of seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.predictor import KronosPredictor
from tests.training.conftest import SHAPE
from training.__main__ import main

TRAINING = {"steps": 4, "batch": 2, "window": 32, "prefix_min": 8, "prefix_max": 20, "validation_windows": 4}
TRAINING |= {"validate_every": 2, "log_every": 2, "warmup": 1}
MODELS: dict[str, dict[str, Any]] = {
    "tokenizer": {"n_enc_layers": 2, "n_dec_layers": 2, **SHAPE},
    "predictor": {"n_layers": 1, **SHAPE},
}


def recipe(folder: Path, stage: str) -> str:
    path = folder / f"{stage}.json"
    path.write_text(json.dumps({"training": {"stage": stage, **TRAINING}, "model": MODELS[stage]}))
    return str(path)


def run(folder: Path, data: Path, stage: str, *more: str) -> int:
    return main(["train", recipe(folder, stage), "--data", str(data), "--out", str(folder / stage), *more])


def test_both_stages_are_trained_and_judged_from_the_command_line(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, data, "tokenizer", "--threads", "1") == 0
    assert "Best validation loss" in capsys.readouterr().out
    tokenizer = str(tmp_path / "tokenizer" / "best")
    assert run(tmp_path, data, "predictor", "--tokenizer", tokenizer, "--set", "steps=2", "batch=3") == 0
    settings = json.loads((tmp_path / "predictor" / "training.json").read_text())
    assert (settings["steps"], settings["batch"]) == (2, 3)
    model = tmp_path / "predictor" / "best"
    assert KronosPredictor.from_pretrained(model, tokenizer=tokenizer, device="cpu").name == "best"
    scores = tmp_path / "scores.csv"
    judge = ["evaluate", str(model), "--tokenizer", tokenizer, "--data", str(data), "--out", str(scores)]
    assert main([*judge, "--lookback", "40", "--horizon", "5", "--cutoffs", "2", "--samples", "4"]) == 0
    frame = pd.read_csv(scores)
    assert set(frame["forecaster"]) == {"model", "last_close", "drift", "ewma"}
    assert len(frame) == 2 * 2 * 4  # markets, cutoffs, forecasters
    assert (frame["crps"] > 0).all()
    assert "crps_to_ewma" in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_the_predictor_stage_asks_for_a_tokenizer(tmp_path: Path, data: Path, capsys) -> None:
    assert "--tokenizer FOLDER" in refused(capsys, tmp_path, data, "predictor")


def test_a_wrong_setting_is_named_before_anything_is_written(tmp_path: Path, data: Path, capsys) -> None:
    assert "learning_rat\n" in refused(capsys, tmp_path, data, "tokenizer", "--set", "learning_rat=1")
    assert not (tmp_path / "tokenizer").exists()


def test_a_missing_folder_is_an_error_without_a_traceback(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert "nowhere" in capsys.readouterr().err


def test_a_corpus_without_validation_rows_is_an_error_not_a_loss_of_zero(tmp_path: Path, data: Path, capsys) -> None:
    for path in data.glob("*/*.parquet"):
        pd.read_parquet(path).query("split == 'train'").to_parquet(path)
    assert "No candles of split 'val'" in refused(capsys, tmp_path, data, "tokenizer")
    assert not (tmp_path / "tokenizer").exists()
