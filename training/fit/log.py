"""The figures of a stage, a JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.fit.checkpoint import writing

LOG = "log.jsonl"


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log, without what a process that died left half-written; none where there is no log."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [row for row in map(_row, lines) if row is not None]


class Log:
    """A log that is written to.

    Parameters
    ----------
    step
        Where training goes on: rows after it are of steps that will be done again, and are removed.
    """

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [row for row in read_log(path) if row["step"] <= step]
            draft = path.with_suffix(".draft")
            draft.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            draft.replace(path)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        with writing(self.path.parent), self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(dict(row)) + "\n")


def _row(line: str) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return row
