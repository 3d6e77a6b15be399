"""The tasks of the paper as pages and API know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from kronos_app.errors import InvalidInput
from kronos_app.services.evaluation.request import EvaluationRequest, TaskName
from kronos_app.services.evaluation.task import task_figures, task_settings
from tests.training.evaluation.conftest import walk
from training.evaluation.baselines import Drift, Ewma
from training.evaluation.cutoffs import rolling
from training.evaluation.report import Report
from training.evaluation.tasks.presets import FORECASTING, TASKS
from training.evaluation.walk_forward import walk_forward


def test_every_task_that_is_a_walk_forward_can_be_asked_for() -> None:
    assert get_args(TaskName) == FORECASTING


@pytest.mark.parametrize("task", FORECASTING)
def test_what_a_task_sets_is_a_request(task: TaskName) -> None:
    fields = task_settings(task, 3600, 512)
    request = EvaluationRequest.build({"data": {"kind": "candle_sets"}, "models": ["tiny"], "task": task, **fields})
    assert (request.lookback, request.horizon) == (80, 12)
    assert (request.temperature, request.top_p) == (TASKS[task].temperature, TASKS[task].top_p)


def test_a_model_that_holds_no_history_beside_the_forecast_is_refused() -> None:
    with pytest.raises(InvalidInput, match="96 candles leaves too little room"):
        task_settings("price", 300, 100)


def test_figures_without_a_value_are_left_out_and_the_rest_is_json(tmp_path: Path) -> None:
    places = rolling([walk("A", 90, 1)], lookback=40, horizon=5)
    report = Report(walk_forward([Drift(), Ewma()], places, tmp_path), ["drift", "ewma"])
    found = task_figures("price", report)
    assert [(row["market"], row["forecaster"]) for row in found["rows"]] == [("crypto/1h", "drift")]
    assert set(found["rows"][0]["figures"]) == set(found["figures"]) == {"ic", "rank_ic"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
