"""The REST API of a server, for programs that use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

SECONDS_TO_ANSWER = 120
SECONDS_TO_END = 1_800.0  # of a job or a run
POLL_SECONDS = 0.2


def connect(address: str) -> httpx.Client:
    """Return a client of the API at a server's address."""
    return httpx.Client(base_url=f"{address}/api/v1", timeout=SECONDS_TO_ANSWER)


def wait_until(condition: Callable[[], bool], expected: str) -> None:
    """Wait until a condition holds; raises RuntimeError with what was expected if it does not in time."""
    deadline = time.monotonic() + SECONDS_TO_END
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {SECONDS_TO_END:.0f} s in vain: {expected}")
        time.sleep(POLL_SECONDS)


def await_state(api: httpx.Client, path: str, *states: str) -> dict[str, Any]:
    """Return the job or run at a path of the API once it is in one of the states, by default once it has succeeded.

    Raises RuntimeError (it has failed or was stopped instead, or takes too long).
    """
    states = states or ("succeeded", "finished")
    record: dict[str, Any] = {}

    def reached() -> bool:
        record.update(api.get(path).raise_for_status().json())
        state = record.get("status") or record["state"]
        if state not in {"queued", "running", *states}:
            raise RuntimeError(f"{path} is {state}: {record.get('error')}")
        return state in states

    wait_until(reached, f"{path} is {' or '.join(states)}")
    return record
