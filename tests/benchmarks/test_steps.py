"""Steps are timed one by one and held against the least time of the same steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import machine, steps
from benchmarks.__main__ import main
from benchmarks.machine import Machine
from benchmarks.work import Window, one_step
from engine.predictor import KronosPredictor
from engine.sampling import Sampling
from tests.benchmarks.conftest import TINY

SLOW_MEMORY, SLOW_PROCESSOR = Machine(flops=1e15, bandwidth=1e6, working_set=1), Machine(1e6, 1e15, 1)


@pytest.fixture(autouse=True)
def _few_candles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "HISTORY", 10)
    monkeypatch.setattr(steps, "STEPS", 4)


def test_the_bound_is_the_mean_of_what_each_step_must_do(predictor: KronosPredictor) -> None:
    measured = steps.time_steps(predictor, TINY, SLOW_MEMORY, Sampling(), rows=3, rounds=2)
    reads = [one_step(TINY.model, Window(1, 3, 10, drawn)).bytes for drawn in (1, 2, 3)]
    assert measured.bound == pytest.approx(sum(reads) / 3 / 1e6)
    assert measured.seconds > 0
    assert measured.of_bound == pytest.approx(measured.bound / measured.seconds)


@pytest.mark.parametrize(("roofs", "word"), [(SLOW_MEMORY, "reading"), (SLOW_PROCESSOR, "computing")])
def test_a_table_says_what_bounds_a_step(roofs: Machine, word: str, predictor: KronosPredictor) -> None:
    measured = steps.time_steps(predictor, TINY, roofs, Sampling(), rows=2, rounds=1)
    assert steps.table("tiny", [measured])[1].endswith(word)


def test_the_program_times_steps_of_every_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "measure", lambda _: SLOW_MEMORY)
    written = tmp_path / "steps.json"
    main(["--sizes", "tiny", "--steps", "1", "9", "--rounds", "1", "--threads", "1", "--json", str(written)])
    found = json.loads(written.read_text())["steps"]["tiny"]["steps"]
    assert [one["rows"] for one in found] == [1, 9]
    assert all(one["seconds"] > 0 and one["of_bound"] > 0 for one in found)
    assert "of bound" in capsys.readouterr().out
