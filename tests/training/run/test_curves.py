"""Logs are drawn, a panel a stage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.errors import RunError
from training.run.curves import draw_curves


def log(run: Path, stage: str, rows: list[dict[str, float]]) -> Path:
    (run / stage).mkdir(parents=True)
    (run / stage / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


ROWS = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "validation_loss": 2.5}]


def test_each_stage_is_a_panel_with_the_curves_of_every_run(tmp_path: Path) -> None:
    one, other = log(tmp_path / "one", "predictor", ROWS), log(tmp_path / "other", "predictor", ROWS)
    log(one, "tokenizer", ROWS)
    out = tmp_path / "curves.svg"
    draw_curves([one, other], out)
    drawn = out.read_text()
    assert all(f"<!-- {stage} -->" in drawn for stage in ("tokenizer", "predictor"))
    assert drawn.count("<!-- one, validation -->") == 2
    assert drawn.count("<!-- other, training -->") == 1


def test_runs_without_a_log_are_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=str(tmp_path)):
        draw_curves([tmp_path], tmp_path / "curves.png")


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"\.svg, \.png or \.pdf"):
        draw_curves([log(tmp_path / "run", "predictor", ROWS)], tmp_path / "curves.txt")
