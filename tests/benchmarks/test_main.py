"""The program measures, prints and writes what it is asked for. How fast anything was is nobody's business here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import machine, memory, report
from benchmarks.__main__ import main
from benchmarks.cases import Case
from benchmarks.machine import Machine
from benchmarks.measure import run_in_process
from benchmarks.timing import Timing
from engine.predictor import KronosPredictor
from engine.sampling import Sampling
from tests.benchmarks.conftest import TINY

ROOT = Path(__file__).parents[2]

LIMITS = Machine(flops=1e11, bandwidth=1e10, working_set=10**6)
TINY_RUN = ["--sizes", "tiny", "--samples", "1", "3", "--lengths", "20:8", "--rounds", "1", "--threads", "1"]


@pytest.fixture(autouse=True)
def _measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the machine's own measurement, and a process a case."""
    monkeypatch.setattr(machine, "measure_machine", lambda _: LIMITS)
    monkeypatch.setattr(program, "run_in_process", lambda function, *arguments: function(*arguments))


def test_a_run_prints_a_table_and_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*TINY_RUN, "--plain-steps", "2", "--json", str(tmp_path / "found.json")])
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["machine"]["threads"] == 1
    assert written["limits"]["tiny"] == vars(LIMITS)
    one, three = written["cases"]
    assert (one["samples"], three["samples"]) == (1, 3)
    assert one["plain"]["scaled_from_steps"] == 2
    assert set(one["windows"]) == set(one["memory"]) == {"exact", "fit"}
    exact = three["windows"]["exact"]
    assert exact["ratio"] == pytest.approx(three["plain"]["seconds"] / exact["seconds"])
    assert exact["paths_per_second"] == pytest.approx(3 / exact["seconds"])
    assert exact["of_bound"] == pytest.approx(exact["bound"]["seconds"] / exact["seconds"])
    assert exact["target"] is exact["reached"] is None
    assert set(three["memory"]["fit"]) == {"weights", "beyond", "own", "process"}
    printed = capsys.readouterr().out
    assert "tiny 20→8 3 paths" in printed
    assert "scaled from 2 evenly spaced steps" in printed
    assert "× one path" in printed


def test_reduced_weights_are_timed_beside_whole_ones(tmp_path: Path) -> None:
    main([*TINY_RUN, "--plain-steps", "2", "--weights", "int8", "--json", str(tmp_path / "found.json")])
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["weights"] == "int8"
    assert written["cases"][0]["windows"]["fit"]["ratio"] > 0


def test_the_whole_plain_loop_is_not_called_scaled(capsys: pytest.CaptureFixture[str]) -> None:
    main([*TINY_RUN, "--plain-steps", "all", "--no-memory"])
    printed = capsys.readouterr().out
    assert "scaled" not in printed
    assert "one path" not in printed


def test_a_target_is_reached_or_missed() -> None:
    case = Case("tiny", 1, 5, 20, 8, 24, ("exact", "fit"), targets={"exact": 9, "fit": 22})
    timing = Timing(plain=[10.0, 30.0, 20.0], engine={"exact": [2.0], "fit": [1.0, 0.5, 0.6]})
    record = report.case_record(TINY, case, timing, LIMITS)
    assert record["plain"]["seconds"] == 20.0
    assert record["windows"]["exact"]["ratio"] == 10.0
    assert record["windows"]["exact"]["reached"]
    assert record["windows"]["fit"]["ratio"] == pytest.approx(33.3, abs=0.1)
    exact, fit = report.table_lines(record)
    assert "9× reached" in exact
    assert "22× reached" in fit
    slow = {"exact": [1.0], "fit": [1.0]}
    record = report.case_record(TINY, case, Timing([1.0], slow), LIMITS)
    assert "9× missed" in report.table_lines(record)[0]
    assert "0 of 2 ratios reached." in report.footnotes([record])


def test_the_memory_of_many_paths_is_held_against_that_of_one() -> None:
    def record(samples: int, beyond: int, own: int) -> report.Record:
        work = {"size": "small", "series": 1, "history": 400, "horizon": 120}
        memory = {"fit": {"weights": 1, "beyond": beyond, "own": own, "process": 2 * beyond}}
        return {**work, "case": f"{samples} paths", "samples": samples, "memory": memory}

    notes = report.memory_notes([record(1, 100_000_000, 0), record(30, 180_000_000, 50_000_000)])
    assert notes == [
        "30 paths, fit: 180 MB are within the 180 MB of 1.3 × one path (100 MB) "
        "and the paths' own keys and values (50 MB); the whole process 360 MB and 200 MB."
    ]
    (note,) = report.memory_notes([record(1, 100_000_000, 0), record(30, 181_000_000, 50_000_000)])
    assert "BEYOND" in note


def test_the_checkout_of_nothing_ends_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="holds no package"):
        main([*TINY_RUN, "--no-memory", "--reference", str(tmp_path)])


def test_a_measurement_runs_in_a_process_of_its_own() -> None:
    assert run_in_process(os.getpid) != os.getpid()


def test_memory_is_watched_over_many_forecasts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--soak", "40", "--sizes", "tiny", "--threads", "1", "--json", str(tmp_path / "soak.json")])
    assert len(json.loads((tmp_path / "soak.json").read_text())["soak"]["resident"]) == 2
    assert "40 forecasts of tiny" in capsys.readouterr().out


def test_growth_leaves_out_the_start() -> None:
    assert memory.memory_growth([10, 90, 100, 100, 100, 100, 100, 100]) == 0
    assert memory.memory_growth([10, 90, 100, 110, 120, 130, 140, 150]) == 40


PEAKS = """
from benchmarks import measure
large = bytearray(64 << 20)
del large
measure.reset_peak()
before = measure.read_peak()
again = bytearray(64 << 20)
print(measure.read_peak() - before)
"""


def test_the_high_water_mark_starts_anew() -> None:
    # In a process of its own: from one that has grown large, the system may take memory back meanwhile.
    found = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True, cwd=ROOT)
    assert int(found.stdout) > 60 << 20


def test_the_machine_has_two_roofs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    found = machine.measure_machine(1 << 16)
    assert found.flops > 0
    assert found.bandwidth > 0
    assert machine.describe_machine(2)["processor"]


def test_what_is_measured_can_be_forecast(predictor: KronosPredictor, case: Case) -> None:
    measured = memory.measure_memory(case, "fit", Sampling(), 1)
    assert measured["own"] == 2 * 32 * 3 * 7 * 6 * 4
