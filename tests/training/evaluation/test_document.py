"""The examples of docs/evaluation.md run, and its tables have what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import KronosPredictor
from tests.training.evaluation.conftest import tiny_model
from training.evaluation import summary
from training.evaluation.baselines import BASELINES, Walk
from training.evaluation.calibration import METHODS

TEXT = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")


def test_the_python_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(KronosPredictor, "from_pretrained", lambda *_, **__: tiny_model())
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(block, "evaluation.md", "exec"), names)
    quiet = names["Quiet"]
    assert isinstance(quiet, type)
    assert issubclass(quiet, Walk)
    assert (tmp_path / "runs" / "evaluation" / "evaluation.json").is_file()


def test_every_baseline_and_method_is_in_the_document() -> None:
    for name in (*(one.name for one in BASELINES), *(type(method).__name__ for method in METHODS)):
        assert f"`{name}`" in TEXT


def test_every_figure_is_in_the_document() -> None:
    figures = {*summary.AVERAGED, "rmse", "rmse_price", "ic", "rank_ic", "icir", "volatility_mae", "volatility_r2"}
    between = {f"{kind}_{level}" for kind in ("coverage", "width") for level in (80, 90)}  # within the dots
    assert not [name for name in figures - between if f"`{name}`" not in TEXT]
