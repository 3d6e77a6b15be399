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
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 120


@dataclass(frozen=True)
class Server:
    """A running server: its address, and its process to be ended or killed."""

    address: str
    process: subprocess.Popen[bytes]


def start(
    home: Path, python: str = sys.executable, *, quiet: bool = False, root: Path = ROOT, script: str = "Home.py"
) -> Server:
    """Start a server on a free port and return it once it answers.

    Parameters
    ----------
    home
        Folder for what the app writes.
    python
        The Python of the environment that it runs in.
    quiet
        Whether its log is thrown away.
    root, script
        The checkout that it serves, and the app in it.

    Raises
    ------
    httpx.HTTPError
        It does not answer in time, or ended.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [python, "-m", "streamlit", "run", script, "--server.port", str(port)]
    environment = os.environ | {"KRONOS_HOME": str(home)}
    errors = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _wait_for(server)
    except httpx.HTTPError:
        process.kill()
        process.wait()
        raise
    return server


@contextmanager
def running(
    home: Path | None = None, python: str = sys.executable, root: Path = ROOT, script: str = "Home.py"
) -> Iterator[str]:
    """Start a server as `start` does, yield its address and end it; without a home it gets a fresh one."""
    with tempfile.TemporaryDirectory() as fresh:
        server = start(home or Path(fresh), python, root=root, script=script)
        try:
            yield server.address
        finally:
            server.process.terminate()
            server.process.wait(30)


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            httpx.get(f"{server.address}/_stcore/health", timeout=5).raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise
            time.sleep(0.05)
