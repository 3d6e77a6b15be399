"""The log of a stage: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.fit.checkpoint import explain_write_errors
from training.saved import load_rows


class Log:
    """Appends to a log, whose rows after `step` are removed, as those steps will be repeated."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        with explain_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = [row for row in load_rows(path) if row["step"] <= step]
            draft = path.with_suffix(".draft")
            draft.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            draft.replace(path)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        with explain_write_errors(self.path.parent), self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(dict(row)) + "\n")
