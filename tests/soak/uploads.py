"""Mutated files, uploaded one after another: none may be answered by 5xx or in more than five seconds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import httpx

from scripts.server import start
from tests.soak.mutations import mutated
from tests.soak.report import Answers, memory_mb

MOST_SECONDS = 5.0
WARM = 0.2  # share of the uploads after which memory is measured for the first time
MOST_GROWTH = 1.3  # memory at the end, over that after the first uploads


def run(count: int, seed: int) -> tuple[str, list[str]]:
    """Return a row of the table, and what failed, after `count` uploads."""
    answers = Answers()
    with tempfile.TemporaryDirectory() as home:
        server = start(Path(home), quiet=True)
        try:
            before = memory_mb(server.process.pid)
            with httpx.Client(base_url=f"{server.address}/api/v1/", timeout=60) as api:
                for number, (name, content) in enumerate(mutated(count, seed)):
                    if number == int(count * WARM):
                        before = memory_mb(server.process.pid)
                    _upload(api, name, content, number, answers)
            after = memory_mb(server.process.pid)
        finally:
            server.process.kill()
            server.process.wait()
    if after > before * MOST_GROWTH:
        answers.failures.append(f"memory grew from {before:.0f} to {after:.0f} MB")
    return answers.row(f"{count} mutated uploads", f"memory {before:.0f} → {after:.0f} MB"), answers.failures


def _upload(api: httpx.Client, name: str, content: bytes, number: int, answers: Answers) -> None:
    form = {"repair": ("drop", "ffill", "keep")[number % 3]} if number % 2 else {}
    try:
        response = api.post("candles", files={"file": (name, content)}, data=form)
    except httpx.HTTPError as error:
        answers.statuses[0] += 1
        answers.failures.append(f"upload {number} ({name}): {error!r}")
        return
    answers.add(f"upload {number} ({name})", response)
    if response.elapsed.total_seconds() > MOST_SECONDS:
        answers.failures.append(f"upload {number} ({name}) took {response.elapsed.total_seconds():.1f} s")
