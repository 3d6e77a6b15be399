"""The desk itself as a server with a password and a token, for tests that come from outside."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[2]
MB = 1024 * 1024
PASSWORD, TOKEN = "correct horse", "battery staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
SECONDS_TO_START = 180
SECONDS_TO_ANSWER = 60


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen, port: int, home: Path) -> None:
        self.process = process
        self.port = port
        self.home = home
        self.host = f"localhost:{port}"

    @property
    def used(self) -> tuple[int, int]:
        """Memory in use and bytes written so far."""
        process = psutil.Process(self.process.pid)
        return process.memory_info().rss, process.io_counters().write_chars

    @contextmanager
    def client(self, *, admitted: bool = True) -> Iterator[httpx.Client]:
        """Yield a browser: with cookies, and with the password entered."""
        with httpx.Client(base_url=f"http://{self.host}", timeout=SECONDS_TO_ANSWER) as client:
            if admitted:
                assert client.post("/enter", data={"password": PASSWORD}).status_code == 303
            yield client

    def send(self, head: str, body: bytes = b"", times: int = 1) -> bytes:
        """Send a request by hand until the server closes the connection, and return what it answered."""
        with socket.create_connection(("127.0.0.1", self.port), SECONDS_TO_ANSWER) as connection:
            try:
                connection.sendall(f"{head}\r\nHost: {self.host}\r\n\r\n".encode())
                for _ in range(times):
                    connection.sendall(body)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it closed while we were sending
            return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    answer = b""
    try:
        while part := connection.recv(65536):
            answer += part
    except ConnectionResetError:
        pass
    return answer


@contextmanager
def serving(folder: Path):
    home = folder / "home"
    for part in ("model", "tokenizer"):
        shutil.copytree(ROOT / "tests" / "golden" / part, home / "models" / "kronos-nano" / part)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "KRONOS_HOME": str(home),
        "KRONOS_PASSWORD": PASSWORD,
        "KRONOS_API_TOKEN": TOKEN,
        "KRONOS_SHUTDOWN_SECONDS": "3",
    }
    command = [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield Served(process, port, home)
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://localhost:{port}/api/v1/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
