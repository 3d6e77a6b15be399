"""Waiting for a server process to answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SECONDS_TO_START = 120


def wait_until_ready(connect: Callable[[], object], refusal: type[Exception], process: subprocess.Popen, log: Path):
    """Call `connect` until it does not raise `refusal`; fail with the log if the process ends or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            connect()
            return
        except refusal:
            assert process.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
