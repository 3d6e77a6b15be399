"""A run goes from its config to its result, ends in words where it fails, and does nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.loading.checkpoint import digest
from engine.predictor import KronosPredictor
from engine.tokenizer import KronosTokenizer
from engine.transformer import Kronos
from training.fit.distributed import World
from training.fit.looking import checked_steps
from training.run.config import RunConfig
from training.run.config_file import parse_config, write_config
from training.run.execute import execute
from training.run.folder import RunFolder, Status
from training.saved import load_rows


def begin(folder: Path, config: RunConfig) -> RunFolder:
    folder.mkdir()
    write_config(config, folder / "config.yaml")
    return RunFolder(folder)


def changed(config: RunConfig, **sections: Any) -> RunConfig:
    return parse_config(config.model_dump(mode="json") | sections)


def go(run: RunFolder) -> Status:
    return execute(run, World.alone("cpu"))


def losses(run: RunFolder) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in load_rows(run.stage("predictor") / "log.jsonl") if "loss" in row]


def test_a_run_from_scratch_ends_with_a_model_that_forecasts(tmp_path: Path, data: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", config)
    status = go(run)
    assert (status.state, status.phase, status.error) == ("finished", "exporting", None)
    assert status == run.status()
    predictor = KronosPredictor.from_pretrained(run.export / "model", tokenizer=run.export / "tokenizer")
    assert digest(predictor.model) == digest(Kronos.from_pretrained(run.stage("predictor") / "best"))
    report = json.loads(run.report.read_text())
    assert set(report) == {"validation", "test"}
    assert report["validation"]["cutoffs"] == 4
    assert "base" not in report["validation"]["forecasters"]  # there was nothing before
    made = json.loads(run.provenance.read_text())
    assert made["data"]
    assert made["seed"] == config.seed
    assert [row["step"] for row in map(json.loads, run.forecast_scores.read_text().splitlines())] == [3, 6]
    assert checked_steps(config) == [3, 6]
    assert json.loads(run.examples.read_text())["step"] == 6
    assert (run.export / "README.md").is_file()


def test_one_deviation_of_all_prices_reaches_windows_and_result(tmp_path: Path, config: RunConfig) -> None:
    base, quick = config.base.model_dump(mode="json"), {"cutoffs": 0, "final_cutoffs": 0}
    runs = {}
    for asked in (False, True):
        settings = changed(config, base=base | {"shared_deviation": asked}, judge=quick, tokenizer=None)
        runs[asked] = begin(tmp_path / f"run {asked}", settings)
        assert go(runs[asked]).state == "finished"
        tokenizer = KronosTokenizer.from_pretrained(runs[asked].export / "tokenizer")
        assert tokenizer.config.shared_deviation is asked
    assert losses(runs[True])[0] != losses(runs[False])[0]  # the same weights met other tokens


def test_a_run_from_a_base_is_judged_beside_it(tmp_path: Path, config: RunConfig) -> None:
    first = begin(tmp_path / "first", config)
    assert go(first).state == "finished"
    second = begin(
        tmp_path / "second", changed(config, base={"model": str(first.export)}, tokenizer=None, method={"kind": "lora"})
    )
    assert go(second).state == "finished"
    report = json.loads(second.report.read_text())["validation"]
    assert {"tuned", "base", "ewma"} <= report["forecasters"].keys()
    assert report["to_base"] is not None
    kept = KronosTokenizer.from_pretrained(second.export / "tokenizer")
    assert digest(kept) == digest(KronosTokenizer.from_pretrained(first.export / "tokenizer"))
    # What was judged as the base is the base: training changed a copy.
    base = KronosPredictor.from_pretrained(first.export / "model", tokenizer=first.export / "tokenizer")
    assert json.loads(second.provenance.read_text())["base"]["digest"] == base.digest


def test_a_paused_run_goes_on_to_the_same_losses(tmp_path: Path, config: RunConfig) -> None:
    whole = begin(tmp_path / "whole", config)
    assert go(whole).state == "finished"
    parts = begin(tmp_path / "parts", config)
    parts.request_stop("pause")
    paused = go(parts)
    assert (paused.state, paused.phase, paused.step) == ("paused", "tokenizer", 1)
    parts.request_stop(None)
    assert go(parts).state == "finished"
    assert losses(parts) == losses(whole)
    assert len(losses(parts)) == 6


def test_a_stopped_run_keeps_the_best_so_far(tmp_path: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", config)
    run.request_stop("keep")
    status = go(run)
    assert (status.state, status.stopped) == ("finished", True)
    assert [step for step, _ in losses(run)] == [1]
    assert (run.export / "model" / "model.safetensors").is_file()


def test_a_finished_run_is_not_done_again(tmp_path: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", config)
    go(run)
    report, log = run.report.stat().st_mtime_ns, losses(run)
    assert go(run).state == "finished"
    assert (run.report.stat().st_mtime_ns, losses(run)) == (report, log)


def test_a_run_that_goes_on_does_not_read_its_source_again(tmp_path: Path, data: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", config)
    run.request_stop("pause")
    assert go(run).state == "paused"
    for path in data.rglob("*.parquet"):
        path.unlink()
    run.request_stop(None)
    assert go(run).state == "finished"


def test_a_failure_is_told_in_words_and_does_not_hide_what_was_noted(tmp_path: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", changed(config, window={"lookback": 200, "horizon": 120}))
    status = go(run)
    assert status.state == "failed"
    assert status.error is not None
    assert "{size}" in str(status.error.to_dict())  # a sentence to be translated, with its values beside it
    assert not run.is_running()


def test_a_base_that_is_not_there_is_named(tmp_path: Path, config: RunConfig) -> None:
    run = begin(tmp_path / "run", changed(config, base={"model": str(tmp_path / "nowhere")}))
    status = go(run)
    assert status.state == "failed"
    assert "nowhere" in str(status.error)


def test_the_learning_rate_that_was_chosen_is_noted_with_its_reason(tmp_path: Path, config: RunConfig) -> None:
    stage = config.model_dump(mode="json")["predictor"] | {"learning_rate": None, "steps": 1}
    run = begin(
        tmp_path / "run", changed(config, predictor=stage, tokenizer=None, judge={"cutoffs": 0, "final_cutoffs": 0})
    )
    status = go(run)
    assert status.state == "finished"
    assert [note.params["reason"] for note in status.notes if str(note).startswith("Learning rate of the predictor")]
    assert not run.report.exists()
