"""What the command line shows: a line of progress, and tables of plain text."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from training.errors import RunError
from training.run.folder import RunFolder, Status, unwritable
from training.run.report import Report, judged, score_rows, verdicts, worse

if TYPE_CHECKING:
    from training.run.preflight import Preflight

SECONDS_BETWEEN_LOOKS = 0.5


@contextmanager
def shown(run: RunFolder) -> Iterator[None]:
    """Show the run's progress, where standard error is a terminal, as long as the block takes."""
    if not sys.stderr.isatty():
        yield
        return
    done = Event()
    thread = Thread(target=_show, args=(run, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _show(run: RunFolder, done: Event) -> None:
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        sys.stderr.write(f"\r\x1b[K{line(run.status())}")
        sys.stderr.flush()
    sys.stderr.write("\r\x1b[K")


@contextmanager
def logged(run: RunFolder) -> Iterator[None]:
    """Append what the trainer logs to `run.log`, as long as the block takes; of several processes, the first one's.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    logger = logging.getLogger("training")
    try:
        handler = logging.FileHandler(run.log, encoding="utf-8")
    except OSError as error:
        raise RunError(unwritable(run.path, error)) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    handler.setLevel(logging.INFO if first_process() else logging.WARNING)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()


def first_process() -> bool:
    """Return whether this is the one process, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def line(status: Status) -> str:
    """Return where a run is, in one line."""
    parts: list[str] = [status.phase]
    if status.steps:
        parts.append(f"step {status.step:,} of {status.steps:,}")
    if status.loss is not None:
        parts.append(f"loss {status.loss:.4f}")
    if status.rate is not None:
        parts.append(f"{status.rate:.1f} windows/s")
    if status.remaining is not None:
        parts.append(f"{clock(status.remaining)} left")
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Return a length of time as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def table(rows: Sequence[Sequence[object]]) -> str:
    """Return rows, the first of them the head, as aligned text; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    right = [any(isinstance(row[i], int | float) for row in rows[1:]) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in parts).rstrip()
        for parts in (list(zip(row, widths, right, strict=True)) for row in cells)
    )


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else "" if value is None else str(value)


def preflight_text(found: Preflight) -> str:
    """Return what a run has to learn from, and what its reader should know."""
    rows: list[Sequence[object]] = [("split", "windows", "candles", "symbols", "from", "to")]
    rows += [
        (name, size.windows, size.candles, size.symbols, size.first, size.last) for name, size in found.splits.items()
    ]
    return "\n".join([table(rows), *(f"- {note}" for note in found.notes)])


def report_text(report: Report) -> str:
    """Return the final scores, and the verdict."""
    parts = []
    for split, one in judged(report).items():
        parts += [f"\n{split}", table(list(score_rows(one)))]
    warning = ["\nWorse than its base model."] if worse(report) else []
    return "\n".join([*parts, *warning, "", *verdicts(report)])
