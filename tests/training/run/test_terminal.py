"""What the command line shows is short, aligned and true."""

from __future__ import annotations

import io
import logging
import time
from pathlib import Path

import pytest

from tests.training.run.test_card import judgement
from training.errors import RunError
from training.run.folder import RunFolder, Status
from training.run.terminal import report_text, show_progress, status_line, table, write_log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path)
    run.write_status(state="running", phase="predictor", step=1200, steps=2000, loss=2.5, rate=8.25, remaining=3725.0)
    return run


def test_a_line_tells_where_a_run_is(run: RunFolder) -> None:
    assert status_line(run.status()) == "predictor  step 1,200 of 2,000  loss 2.5000  8.2 windows/s  1:02:05 left"
    assert status_line(Status()) == "preparing"


def test_progress_is_shown_on_a_terminal_and_wiped_at_the_end(run: RunFolder, monkeypatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with show_progress(run):
        while "step 1,200" not in terminal.getvalue():
            time.sleep(0.01)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_progress_is_not_written_into_a_file(run: RunFolder, monkeypatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with show_progress(run):
        time.sleep(0.01)
    assert not file.getvalue()


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    rows = [("split", "windows", "loss"), ("train", 12345, 0.5), ("validation", 7, None)]
    assert table(rows).splitlines() == [
        "split         windows    loss",
        "train          12,345   0.500",
        "validation          7",
    ]


def test_a_long_time_is_shown_in_days() -> None:
    assert status_line(Status(phase="predictor", remaining=90061)) == "predictor  1 day, 1:01:01 left"


def test_what_the_trainer_logs_is_kept_with_its_time(run: RunFolder, monkeypatch) -> None:
    log = logging.getLogger("training.fit.loop")
    with write_log(run):
        log.info("step %d", 3)
    with write_log(run):
        log.info("step %d", 4)
    log.info("after")
    first, second = run.log.read_text().splitlines()
    assert first.endswith(" step 3")
    assert second.endswith(" step 4")


def test_of_several_processes_only_the_first_logs_its_steps(run: RunFolder, monkeypatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with write_log(run):
        logging.getLogger("training.fit.loop").info("step 3")
        logging.getLogger("training.fit.loop").warning("trouble")
    assert [row.split(maxsplit=2)[2] for row in run.log.read_text().splitlines()] == ["trouble"]


def test_a_folder_that_takes_no_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="gone cannot be written to"), write_log(RunFolder(tmp_path / "gone")):
        pass


def test_scores_end_with_the_verdict_and_worse_is_said_first() -> None:
    text = report_text({"validation": judgement(worse=True), "test": None})
    assert "tuned         0.500 [0.400, 0.600]" in text
    assert "\nWorse than its base model.\n\nOn the validation split: Fine-tuning made it worse." in text
    assert "Worse" not in report_text({"validation": judgement(), "test": None})
