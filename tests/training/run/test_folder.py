"""A run's folder says what its state is, whoever died meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.run.folder import RunFolder, Status, write_json
from training.run.launch import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from training.run.folder import RunFolder

run = RunFolder(Path(sys.argv[1]))
with run.locked():
    run.write_status(state="running", phase="predictor", step=3)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_run_that_nobody_began_is_queued(run: RunFolder) -> None:
    assert run.status() == Status()
    assert not run.is_running()


def test_a_trainer_that_is_killed_leaves_an_interrupted_run(run: RunFolder) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    assert run.is_running()
    assert (run.status().state, run.status().step, run.status().pid) == ("running", 3, child.pid)
    with pytest.raises(OSError, match="trained by another process"), run.locked():
        pytest.fail("two processes would train the same run")
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not run.is_running()
    assert (run.status().state, run.status().step) == ("interrupted", 3)
    with run.locked():
        assert run.is_running()


def test_changes_of_the_status_leave_the_rest_as_it_was(run: RunFolder) -> None:
    run.write_status(state="paused", step=7)
    assert run.write_status(loss=1.5) == run.status()
    assert (run.status().step, run.status().loss) == (7, 1.5)


@pytest.mark.parametrize("content", ["{", "[]", '{"state": "running", "unheard": 1}'])
def test_a_damaged_status_reads_as_interrupted(run: RunFolder, content: str) -> None:
    (run.path / "status.json").write_text(content)
    assert run.status().state == "interrupted"
    assert run.write_status(state="running").phase == "preparing"


def test_a_wish_is_kept_until_it_is_taken_back(run: RunFolder) -> None:
    assert run.stop_request() is None
    run.request_stop("keep")
    assert run.stop_request() == "keep"
    run.request_stop(None)
    assert run.stop_request() is None
    (run.path / "request.json").write_text('{"wish": "explode"}')
    assert run.stop_request() is None


def test_a_folder_that_is_gone_says_so_and_leaves_no_draft(run: RunFolder) -> None:
    with pytest.raises(OSError, match="cannot be written to"):
        RunFolder(run.path / "gone").write_status(state="running")
    target = run.path / "taken"
    target.mkdir()
    with pytest.raises(OSError, match="cannot be written to"):
        write_json(target, {})
    assert [path.name for path in run.path.iterdir()] == ["taken"]
