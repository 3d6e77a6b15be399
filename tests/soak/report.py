"""What the runs have in common: answers that were counted, and a row of the table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import httpx
import psutil


@dataclass
class Answers:
    """Statuses and times of the answers to a run's requests.

    Attributes
    ----------
    statuses
        How often each status was answered; 0 stands for a connection that broke.
    slowest
        Seconds of the slowest answer.
    failures
        What must not happen, in words: a 5xx, a broken connection, something lost.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, what: str, response: httpx.Response) -> None:
        """Count an answer; one from 500 on is a failure, but for 503, which asks to come again later."""
        self.statuses[response.status_code] += 1
        self.seconds.append(response.elapsed.total_seconds())
        if response.status_code >= 500 and response.status_code != 503:
            self.failures.append(f"{what}: {response.status_code} {response.text[:200]}")

    @property
    def slowest(self) -> float:
        """Return the seconds of the slowest answer."""
        return max(self.seconds, default=0.0)

    def row(self, name: str, *more: str) -> str:
        """Return a row of the table."""
        statuses = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))
        figures = "; ".join([statuses, f"slowest {self.slowest:.2f} s", *more])
        return f"| {name} | {figures} | {len(self.failures)} failure(s) |"


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its children in MB."""
    process = psutil.Process(pid)
    return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 1e6
