"""The product as a user starts it, for programs that look at it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 120


@contextmanager
def running(home: Path | None = None, python: str = sys.executable) -> Iterator[str]:
    """Start a server on a free port and yield its address once it answers.

    Parameters
    ----------
    home
        Folder for what the app writes; default a fresh one that is removed at the end.
    python
        The Python of the environment that it runs in.

    Raises
    ------
    httpx.HTTPError
        It does not answer in time, or ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as fresh:
        command = [python, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
        environment = os.environ | {"KRONOS_HOME": str(home or fresh)}
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/_stcore/health", server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            httpx.get(address, timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline or server.poll() is not None:
                raise
            time.sleep(0.05)
