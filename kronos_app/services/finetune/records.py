"""The files that a trainer writes: logs, forecasts, scores."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import Unreadable
from training.saved import load_json, load_rows

if TYPE_CHECKING:
    import pandas as pd

    from kronos_app.services.finetune.run import TuneRun

Rows = list[dict[str, Any]]

TAIL_BYTES = 64 * 1024
MOST_ROWS = 20_000  # of a log
CACHED_LOGS = 64


def read_curves(run: TuneRun) -> dict[str, pd.DataFrame]:
    """Return the rows of `log.jsonl` by stage, NaN where a row lacks a column."""
    from training.run.config import STAGES

    paths = {stage: run.folder.stage_log(stage) for stage in STAGES}
    states = {stage: path.stat() for stage, path in paths.items() if path.is_file()}
    return {stage: _read_frame(paths[stage], state.st_size, state.st_mtime_ns) for stage, state in states.items()}


def read_looks(run: TuneRun) -> Rows:
    """Return the scores of forecasts at validation cutoffs during training, oldest first."""
    return load_rows(run.folder.forecast_scores)


def read_examples(run: TuneRun) -> dict[str, Any] | None:
    """Return a few of the last such forecasts with the actuals, or None."""
    try:
        return load_json(run.folder.examples)
    except Unreadable:  # not written yet, or logged
        return None


def read_card(run: TuneRun) -> str:
    """Return the model card in Markdown, empty before the run has finished."""
    return _read_text(run.folder.export / "README.md")


def read_config(run: TuneRun) -> str:
    """Return `config.yaml`."""
    return _read_text(run.folder.config)


def read_tail(run: TuneRun, lines: int) -> str:
    """Return the last lines of the trainer's output."""
    try:
        with run.folder.log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            output = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(output.splitlines()[-lines:])


@lru_cache(maxsize=CACHED_LOGS)
def _read_frame(path: Path, _size: int, _changed: int) -> pd.DataFrame:
    import pandas as pd

    rows = load_rows(path)
    step = max(-(-len(rows) // MOST_ROWS), 1)
    return pd.DataFrame([row for n, row in enumerate(rows) if n % step == 0 or "loss" not in row])


def _read_text(path: Path) -> str:
    """Return the content of a file, empty if it does not exist yet."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
