"""Output of the command line: a progress line, the log file, and tables of plain text."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING

from tabulate import tabulate

from training.errors import RunError
from training.run.folder import RunFolder, Status, write_error
from training.run.report import Report, is_worse, judgements, score_rows, verdicts

if TYPE_CHECKING:
    from training.run.preflight import Preflight

REFRESH_SECONDS = 0.5


@contextmanager
def show_progress(run: RunFolder) -> Iterator[None]:
    """Show the run's status during the block, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    done = Event()
    thread = Thread(target=_refresh, args=(run, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _refresh(run: RunFolder, done: Event) -> None:
    while not done.wait(REFRESH_SECONDS):
        sys.stderr.write(f"\r\x1b[K{status_line(run.status())}")
        sys.stderr.flush()
    sys.stderr.write("\r\x1b[K")


def show_count(unit: str, done: int, total: int) -> None:
    """Show `unit DONE of TOTAL` in place, if standard error is a terminal."""
    if sys.stderr.isatty():
        print(f"\r{unit} {done} of {total}", end="\n" if done == total else "", file=sys.stderr)


@contextmanager
def write_log(run: RunFolder) -> Iterator[None]:
    """Append the trainer's log to `run.log` during the block; of several processes only the first logs its steps."""
    logger = logging.getLogger("training")
    try:
        handler = logging.FileHandler(run.log, encoding="utf-8")
    except OSError as error:
        raise RunError(write_error(run.path, error)) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handler.setLevel(logging.INFO if is_first_process() else logging.WARNING)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def is_first_process() -> bool:
    """Return whether this is the only process, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def status_line(status: Status) -> str:
    """Return phase and progress of a run in one line."""
    parts: list[str] = [status.phase]
    if status.steps:
        parts.append(f"step {status.step:,} of {status.steps:,}")
    if status.loss is not None:
        parts.append(f"loss {status.loss:.4f}")
    if status.rate is not None:
        parts.append(f"{status.rate:.1f} windows/s")
    if status.remaining is not None:
        parts.append(f"{timedelta(seconds=round(status.remaining))} left")
    return "  ".join(parts)


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows, the first of them the head, as aligned text, numbers to the right."""
    text: str = tabulate(rows, "firstrow", "plain", intfmt=",", floatfmt=".3f")
    return text


def preflight_text(preflight: Preflight) -> str:
    """Return the sizes of the splits and the notes."""
    rows: list[Sequence[object]] = [("split", "windows", "candles", "symbols", "from", "to")]
    rows += [
        (name, size.windows, size.candles, size.symbols, size.first, size.last)
        for name, size in preflight.splits.items()
    ]
    return "\n".join([table(rows), *(f"- {note}" for note in preflight.notes)])


def report_text(report: Report) -> str:
    """Return the final scores and the verdicts."""
    parts = []
    for split, judgement in judgements(report).items():
        parts += [f"\n{split}", table(list(score_rows(judgement)))]
    warning = ["\nWorse than its base model."] if is_worse(report) else []
    return "\n".join([*parts, *warning, "", *verdicts(report)])
