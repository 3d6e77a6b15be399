"""Every example runs as its first lines say, and prints what it promises."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.servers.desk import TOKEN, serving

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.name != "__init__.py")
NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture
def run_example(monkeypatch, capsys):
    """Yield a function that runs an example from the project's folder and returns its output."""
    monkeypatch.chdir(ROOT)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads of a busy machine wait for one another

    def run(name: str, *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_module(f"examples.{name}", run_name="__main__")
        return capsys.readouterr().out

    yield run
    torch.set_num_threads(threads)


def rows(printed: str, start: str) -> list[list[float]]:
    """Return the numbers of every line that begins like `start`."""
    return [[float(cell) for cell in NUMBER.findall(line)] for line in printed.splitlines() if re.match(start, line)]


def test_a_basic_forecast_prints_ordered_quantiles_around_the_last_close(run_example):
    printed = run_example("basic_forecast")
    assert "Last close 2,506.85" in printed
    quantiles = rows(printed, r"2019-01-\d\d")
    assert len(quantiles) == 20
    assert all(low < middle < high for low, middle, high in quantiles)
    assert {middle for _, middle, _ in quantiles} == {2506.85}  # zero drift


def test_a_batch_has_a_row_for_every_share_the_widest_first(run_example):
    widths = [row[-1] for row in rows(run_example("batch_forecast"), "[A-Z]{3,4} ")]
    assert len(widths) == 4
    assert widths == sorted(widths, reverse=True)


def test_without_volume_the_forecast_has_none_either(run_example):
    candles = rows(run_example("without_volume"), r"2019-01-\d\d")
    assert len(candles) == 10
    assert all(row[4:] == [0, 0] and row[1] >= row[3] >= row[2] for row in candles)


def test_five_minutes_of_shanghai_skip_the_lunch_break(run_example):
    printed = run_example("a_share")
    assert re.findall(r"^2024-05-27 (\d\d:\d\d)", printed, re.MULTILINE) == ["10:30", "11:30", "14:00", "15:00"]
    assert all(low < middle < high for low, middle, high in rows(printed, r"2024-05-27 \d"))


def test_crypto_goes_on_around_the_clock(run_example):
    printed = run_example("crypto")
    hours = re.findall(r"^2024-05-2\d (\d\d):00:00\+00:00", printed, re.MULTILINE)
    assert hours == ["00", "06", "12", "18"]
    assert 0 <= int(re.search(r"within 24 hours: (\d+)%", printed)[1]) <= 100


def test_a_published_script_runs_with_its_import_changed(run_example):
    printed = run_example("published_script")
    assert len(rows(printed, r"2024-03-29 \d\d:\d\d")) == 5


@pytest.mark.filterwarnings("default")  # of peft and torch
def test_a_fine_tune_exports_a_model_that_forecasts(run_example, tmp_path):
    printed = run_example("fine_tune", str(tmp_path))
    assert f"The run is finished; its folder is {tmp_path / 'run'}" in printed
    assert len(rows(printed, r"2019-01-\d\d")) == 5
    assert (tmp_path / "run" / "export" / "model" / "model.safetensors").is_file()


def test_a_client_forecasts_over_rest(tmp_path):
    with serving(tmp_path) as server:
        command = [sys.executable, "examples/rest_client.py", "tests/golden/candles.csv"]
        access = ["--url", f"http://{server.host}", "--token", TOKEN]
        first, again = (
            subprocess.run([*command, *access], cwd=ROOT, check=True, capture_output=True, text=True).stdout
            for _ in range(2)
        )
        refused = subprocess.run([*command, *access[:2]], cwd=ROOT, check=False, capture_output=True, text=True)
    assert first.startswith("200 candles from 2024-03-")
    assert again == first  # the second time from the store
    quantiles = rows(first, r"2024-03-\d\dT")
    assert len(quantiles) == 12
    assert all(low <= middle <= high for low, middle, high in quantiles)
    assert "401" in refused.stderr


def test_the_list_of_examples_has_a_line_for_each():
    listed = re.findall(r"^\| \[(\w+\.py)\]\(\1\)", (ROOT / "examples" / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [path.name for path in EXAMPLES]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_what_it_is_and_is_short(path):
    text = path.read_text()
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 70
    assert f"examples.{path.stem}" in text or path.stem == "rest_client"
