"""Two processes on one home folder: the second is refused, and a killed one gives the folder back."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kronos_app.errors import Conflict
from kronos_app.services.desk import Desk

ROOT = Path(__file__).parents[4]
HOLD = """
import sys
from pathlib import Path
from kronos_app.services.desk import Desk
from kronos_app.settings import Settings

desk = Desk(Settings(home=Path(sys.argv[1]), threads=1))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_with_the_number_of_the_first_until_that_is_killed(settings, make_spec):
    command = [sys.executable, "-c", HOLD, str(settings.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as first:
        assert first.stdout.readline() == "open\n"
        # Not even with a store of its own: runs, evaluations and registered models are in the folder.
        apart = settings.model_copy(update={"database_url": "duckdb:///:memory:"})
        with pytest.raises(Conflict) as caught:
            Desk(apart, {"tiny": make_spec()})
        assert caught.value.code == "home_in_use"
        assert f"process {first.pid} on" in caught.value.message.render()
        first.send_signal(signal.SIGKILL)
        first.wait()
    desk = Desk(settings, {"tiny": make_spec()})
    assert (desk.store.problem, desk.unwritable()) == (None, None)
    desk.close()


def test_a_desk_that_was_closed_gives_its_folder_back(settings, make_spec):
    for _ in range(2):
        Desk(settings, {"tiny": make_spec()}).close()
    assert str(os.getpid()) in (settings.home / "desk.process.json").read_text()
