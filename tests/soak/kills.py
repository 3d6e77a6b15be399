"""Servers that are killed while they forecast or store: what was answered for must be there after a restart."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import httpx
import numpy as np

from scripts.rest import await_state
from scripts.server import ROOT, start
from tests.soak.report import Answers

CANDLES = (ROOT / "tests" / "golden" / "candles.csv").read_bytes()


class _KilledServer:
    """A server with a home folder of its own that is killed after random times and started again."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def __enter__(self) -> Self:
        self.home = tempfile.TemporaryDirectory()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self.home.cleanup()

    def start(self) -> None:
        self.server = start(Path(self.home.name), quiet=True)

    def kill_after(self, shortest: float, longest: float) -> None:
        """Kill the server after a random number of seconds."""
        time.sleep(self.rng.uniform(shortest, longest))
        self._kill()

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.server.address}/api/v1/", timeout=60)

    def missing(self, kind: str, ids: list[str]) -> list[str]:
        """Return which records of a kind the server does not have."""
        with self.api() as api:
            return [one for one in ids if api.get(f"{kind}/{one}").status_code != 200]

    def _kill(self) -> None:
        os.kill(self.server.process.pid, signal.SIGKILL)
        self.server.process.wait()


def run_forecasts(kills: int, seed: int) -> tuple[str, list[str]]:
    """Return a row and what failed, after killing a server `kills` times in the middle of a forecast."""
    answers = Answers()
    made: list[str] = []
    with _KilledServer(seed) as killed:
        with killed.api() as api:
            saved = api.post("candles", files={"file": ("candles.csv", CANDLES)}).raise_for_status().json()
        for number in range(kills):
            with killed.api() as api:
                body = {"candles_id": saved["id"], "lookback": 200, "horizon": 60, "samples": 50, "seed": number}
                response = api.post("forecasts", json=body)
                answers.add(f"forecast {number}", response)
                job = response.json()["job_id"]
            killed.kill_after(0, 1.5)
            killed.start()
            with killed.api() as api:
                made += _wait_for_forecast(api, job, number, answers)
        missing = killed.missing("forecasts", made)
    answers.failures += [f"forecast {one} was made and is gone" for one in missing]
    return answers.row(f"{kills} kills of forecasts", f"{len(made)} made, {len(missing)} lost"), answers.failures


def run_stores(kills: int, seed: int) -> tuple[str, list[str]]:
    """Return a row and what failed, after killing a server `kills` times while candles are uploaded."""
    answers = Answers()
    stored: list[str] = []
    with _KilledServer(seed) as killed:
        for number in range(kills):
            uploads = threading.Thread(target=_upload_until_killed, args=(killed.api(), number, stored, answers))
            uploads.start()
            killed.kill_after(0.2, 1.5)
            uploads.join()
            killed.start()
        missing = killed.missing("candles", stored)
    answers.failures += [f"candles {one} were stored and are gone" for one in missing]
    return answers.row(f"{kills} kills of stores", f"{len(stored)} stored, {len(missing)} lost"), answers.failures


def _wait_for_forecast(api: httpx.Client, job_id: str, number: int, answers: Answers) -> list[str]:
    """Return the id of the forecast that a job ends with, none where it does not."""
    try:
        return [await_state(api, f"jobs/{job_id}")["forecast_id"]]
    except RuntimeError as error:
        answers.failures.append(f"forecast {number} after the restart: {error}")
        return []


def _upload_until_killed(api: httpx.Client, number: int, stored: list[str], answers: Answers) -> None:
    """Upload new candles until the connection breaks; remember those that the server said it stored."""
    rng = np.random.default_rng(number)
    with api:
        while True:
            close = 100 + rng.normal(size=50).cumsum()
            lines = [
                f"2024-01-{day % 28 + 1:02d} {day // 28:02d}:00,{p},{p + 1},{p - 1},{p}" for day, p in enumerate(close)
            ]
            content = "\n".join(["timestamp,open,high,low,close", *sorted(lines)]).encode()
            try:
                response = api.post("candles", files={"file": (f"walk-{number}.csv", content)})
                answers.add(f"upload before kill {number}", response)
                if response.status_code == 201:
                    stored.append(response.json()["id"])
            except (httpx.HTTPError, ValueError):
                return
