"""Several clients at once for a while: lists, uploads, forecasts."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from pathlib import Path

import httpx

from scripts.server import ROOT, start
from tests.soak.report import Answers, memory_mb

CLIENTS = 8
CANDLES = (ROOT / "tests" / "golden" / "candles.csv").read_bytes()


def run(seconds: float, seed: int) -> tuple[str, list[str]]:
    """Return a row and what failed, after `seconds` of requests by several clients at once."""
    answers = Answers()
    with tempfile.TemporaryDirectory() as home:
        server = start(Path(home), quiet=True)
        try:
            end = time.monotonic() + seconds
            threads = [
                threading.Thread(target=_client, args=(server.address, end, random.Random(seed + number), answers))
                for number in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            memory = memory_mb(server.process.pid)
        finally:
            server.process.kill()
            server.process.wait()
    ordered = sorted(answers.seconds) or [0.0]
    middle, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.95))
    figures = f"median {middle:.3f} s, 95 % below {high:.3f} s", f"memory {memory:.0f} MB"
    return answers.row(f"{seconds:.0f} s of load by {CLIENTS} clients", *figures), answers.failures


def _client(address: str, end: float, rng: random.Random, answers: Answers) -> None:
    with httpx.Client(base_url=address, timeout=60) as http:
        saved = http.post("/api/v1/candles", files={"file": ("candles.csv", CANDLES)})
        answers.add("upload", saved)
        candles_id = saved.json()["id"]
        while time.monotonic() < end:
            try:
                answers.add(*_request(http, candles_id, rng))
            except httpx.HTTPError as error:
                answers.statuses[0] += 1
                answers.failures.append(f"a request broke: {error!r}")


def _request(http: httpx.Client, candles_id: str, rng: random.Random) -> tuple[str, httpx.Response]:
    choice = rng.random()
    if choice < 0.1:
        body = {"candles_id": candles_id, "lookback": 200, "horizon": 12, "samples": 10, "seed": rng.randrange(1000)}
        return "forecast", http.post("/api/v1/forecasts", json=body)
    if choice < 0.2:
        return "upload", http.post("/api/v1/candles", files={"file": ("candles.csv", CANDLES)})
    paths = ("ledger", "series", "health", "models", "runs", "evaluations", f"candles/{candles_id}")
    path = f"/api/v1/{rng.choice(paths)}"
    return path, http.get(path)
