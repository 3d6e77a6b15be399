"""What a run wrote down while it trained, as far as it has come: figures, forecasts, scores, words."""

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
MOST_ROWS = 20_000  # of a log that are read; a chart shows no more
MOST_KEPT = 64
JUDGED = ("test", "validation")  # the one that chose nothing first


def curves(run: Run) -> dict[str, pd.DataFrame]:
    """Return what each stage logged: a row a line of its `log.jsonl`, columns as there, NaN where a row lacks one."""
    from training.run.config import STAGES

    paths = {stage: run.folder.stage(stage) / "log.jsonl" for stage in STAGES}
    return {stage: _frame(path, *_state(path)) for stage, path in paths.items() if path.is_file()}


def looks(run: Run) -> Rows:
    """Return the scores of forecasts on validation cutoffs, a look after the other."""
    return _lines(run.folder.forecast_scores)


def examples(run: Run) -> dict[str, Any] | None:
    """Return a few of the last look's forecasts with what came."""
    return _json(run.folder.examples)


def report(run: Run) -> dict[str, Any] | None:
    """Return the final scores, None as long as there are none."""
    return _json(run.folder.report)


def card(run: Run) -> str | None:
    """Return the model card in Markdown, None as long as there is none."""
    return _text(run.folder.export / "README.md")


def tail(run: Run, lines: int) -> str:
    """Return the last lines that the trainer printed."""
    try:
        with run.folder.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            printed = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(printed.splitlines()[-lines:])


def config_text(run: Run) -> str:
    """Return `config.yaml`."""
    return _text(run.folder.config) or ""


@dataclass(frozen=True)
class Outcome:
    """Scores by forecaster, final or of the last look; of final ones, whether any split is worse than with the base."""

    scores: dict[str, Any] | None = None
    worse: bool | None = None
    verdict: Text | None = None


def outcome(run: Run) -> Outcome:
    """Return what a run came to, as far as that is known."""
    found = report(run) or {}
    judged = [found[split] for split in JUDGED if found.get(split)]
    if judged:
        worse = any(one["worse"] for one in judged)
        told = next((one for one in judged if one["worse"]), judged[0])
        return Outcome(judged[0]["forecasters"], worse, Text.from_dict(told["verdict"]))
    seen = looks(run)
    return Outcome(seen[-1].get("forecasters")) if seen else Outcome()


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=MOST_KEPT)
def _frame(path: Path, _size: int, _changed: int) -> pd.DataFrame:
    import pandas as pd

    rows = _lines(path)
    step = -(-len(rows) // MOST_ROWS)
    thinned = rows if step <= 1 else [row for n, row in enumerate(rows) if n % step == 0 or "loss" not in row]
    return pd.DataFrame(thinned)


def _lines(path: Path) -> Rows:
    """Return the rows of a JSONL file; one that is being written is left out."""
    rows = []
    for line in (_text(path) or "").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
