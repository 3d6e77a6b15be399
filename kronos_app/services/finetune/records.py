"""The files that a trainer writes: logs, forecasts, scores, report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kronos_app.i18n import Text

if TYPE_CHECKING:
    import pandas as pd

    from kronos_app.services.finetune.runs import Run

Rows = list[dict[str, Any]]

TAIL_BYTES = 64 * 1024
MOST_ROWS = 20_000  # of a log
CACHED_LOGS = 64
SPLITS = ("test", "validation")  # of a report, the held-out one first


def read_curves(run: Run) -> dict[str, pd.DataFrame]:
    """Return the rows of `log.jsonl` by stage, NaN where a row lacks a column."""
    from training.run.config import STAGES

    paths = {stage: run.folder.stage(stage) / "log.jsonl" for stage in STAGES}
    states = {stage: path.stat() for stage, path in paths.items() if path.is_file()}
    return {stage: _read_frame(paths[stage], state.st_size, state.st_mtime_ns) for stage, state in states.items()}


def read_looks(run: Run) -> Rows:
    """Return the scores of forecasts at validation cutoffs during training, oldest first."""
    return _read_lines(run.folder.forecast_scores)


def read_examples(run: Run) -> dict[str, Any] | None:
    """Return a few of the last such forecasts with the actuals, or None."""
    return _read_json(run.folder.examples)


def read_report(run: Run) -> dict[str, Any] | None:
    """Return the final scores, or None before the run has finished."""
    return _read_json(run.folder.report)


def read_card(run: Run) -> str:
    """Return the model card in Markdown, empty before the run has finished."""
    return _read_text(run.folder.export / "README.md")


def read_config(run: Run) -> str:
    """Return `config.yaml`."""
    return _read_text(run.folder.config)


def read_tail(run: Run, lines: int) -> str:
    """Return the last lines of the trainer's output."""
    try:
        with run.folder.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            output = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(output.splitlines()[-lines:])


@dataclass(frozen=True)
class Outcome:
    """Final scores by forecaster, or those of the last look; `worse` and `verdict` compare with the base model."""

    scores: dict[str, Any] | None = None
    worse: bool | None = None
    verdict: Text | None = None


def outcome(run: Run) -> Outcome:
    """Return the scores of a run so far; it is worse than its base model if any split is."""
    report = read_report(run) or {}
    parts = [report[split] for split in SPLITS if report.get(split)]
    if parts:
        decisive = next((part for part in parts if part["worse"]), parts[0])
        return Outcome(parts[0]["forecasters"], decisive["worse"], Text.from_dict(decisive["verdict"]))
    looks = read_looks(run)
    return Outcome(looks[-1].get("forecasters")) if looks else Outcome()


@lru_cache(maxsize=CACHED_LOGS)
def _read_frame(path: Path, _size: int, _changed: int) -> pd.DataFrame:
    import pandas as pd

    rows = _read_lines(path)
    step = max(-(-len(rows) // MOST_ROWS), 1)
    return pd.DataFrame([row for n, row in enumerate(rows) if n % step == 0 or "loss" not in row])


def _read_lines(path: Path) -> Rows:
    """Return the objects of a JSONL file; a line that is still being written is left out."""
    rows = []
    for line in _read_text(path).splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(_read_text(path))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _read_text(path: Path) -> str:
    """Return the content of a file, empty if it does not exist yet."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
