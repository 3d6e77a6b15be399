"""The measurements of a case as a record for JSON, and as a table."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case
from benchmarks.machine import Machine
from benchmarks.memory import ALLOWED, allowed_bytes
from benchmarks.shapes import Shape
from benchmarks.timing import Timing

Record = dict[str, Any]
# Column and width; the first two are aligned left.
COLUMNS = {
    "case": 32, "window": 9, "plain s": 10, "s": 9, "ratio": 9, "to reach": 14, "paths/s": 9, "MB": 8, "bound s": 9,
    "of bound": 10,
}  # fmt: skip
SAME_WORK = ("size", "series", "history", "horizon")


def case_record(
    shape: Shape,
    case: Case,
    timing: Timing,
    machine: Machine,
    *,
    plain_steps: int | None = None,
    weights: str = "float32",
) -> Record:
    """Return all measurements of a case but its memory."""
    scaled = plain_steps if plain_steps and plain_steps < case.horizon else None
    plain = timing.plain_median()
    windows = {}
    for window in case.windows:
        seconds, bound = timing.engine_median(window), machine.bound(shape, case, window, weights)
        target = case.targets.get(window)
        windows[window] = {
            "seconds": seconds,
            "runs": timing.engine[window],
            "ratio": plain / seconds,
            "target": target,
            "reached": None if target is None else plain / seconds >= target,
            "paths_per_second": case.paths / seconds,
            "bound": bound,
            "of_bound": bound["seconds"] / seconds,
            "ratio_at_bound": plain / bound["seconds"],
        }
    return {
        "case": case.name,
        **{name: getattr(case, name) for name in ("size", "series", "samples", "history", "horizon", "context")},
        "plain": {"seconds": plain, "runs": timing.plain, "scaled_from_steps": scaled},
        "windows": windows,
        "memory": {},
        "reference": None,
    }


def table_head() -> str:
    """Return the first line of the table."""
    return _format_line(*COLUMNS)


def table_lines(record: Record) -> list[str]:
    """Return a line of the table for each window of a case."""
    plain = f"{record['plain']['seconds']:.2f}" + "*" * bool(record["plain"]["scaled_from_steps"])
    lines = []
    for window, row in record["windows"].items():
        target = "–" if row["target"] is None else f"{row['target']:g}× {'reached' if row['reached'] else 'missed'}"
        memory = f"{record['memory'][window]['beyond'] / 1e6:.0f}" if window in record["memory"] else "–"
        lines.append(
            _format_line(
                record["case"],
                window,
                plain,
                f"{row['seconds']:.3f}",
                f"{row['ratio']:.1f}×",
                target,
                f"{row['paths_per_second']:.1f}",
                memory,
                f"{row['bound']['seconds']:.3f}",
                f"{row['of_bound']:.0%}",
            )
        )
    return lines


def _format_line(*cells: str) -> str:
    pairs = enumerate(zip(cells, COLUMNS.values(), strict=True))
    return "".join(f"{cell:<{width}}" if i < 2 else f"{cell:>{width}}" for i, (cell, width) in pairs)


def footnotes(records: list[Record]) -> list[str]:
    """Return the notes below the table."""
    notes = []
    steps = sorted({record["plain"]["scaled_from_steps"] or 0 for record in records} - {0})
    if steps:
        counts = " or ".join(str(count) for count in steps)
        notes.append(f"* scaled from {counts} evenly spaced steps of the plain loop; its other steps were not run.")
    if any(record["memory"] for record in records):
        notes.append("MB: peak memory beyond the weights, in a separate process.")
    reached = [row["reached"] for record in records for row in record["windows"].values() if row["target"]]
    if reached:
        notes.append(f"{sum(reached)} of {len(reached)} ratios reached.")
    return notes


def memory_notes(records: list[Record]) -> list[str]:
    """Return whether many paths stay within the allowed memory, where the same work was measured for one path."""
    notes = []
    for many in records:
        for single in records:
            if single["samples"] == 1 < many["samples"] and all(single[name] == many[name] for name in SAME_WORK):
                windows = [window for window in many["memory"] if window in single["memory"]]
                notes += [_memory_note(many, window, single["memory"][window]) for window in windows]
    return notes


def _memory_note(record: Record, window: str, single: dict[str, int]) -> str:
    many = record["memory"][window]
    most = allowed_bytes(single, many)
    verdict = "within" if many["beyond"] <= most else "BEYOND"
    return (
        f"{record['case']}, {window}: {many['beyond'] / 1e6:.0f} MB are {verdict} the {most / 1e6:.0f} MB of "
        f"{ALLOWED:g} × one path ({single['beyond'] / 1e6:.0f} MB) and the paths' own keys and values "
        f"({many['own'] / 1e6:.0f} MB); "
        f"the whole process {many['process'] / 1e6:.0f} MB and {single['process'] / 1e6:.0f} MB."
    )


def machine_line(described: Record, machine: Machine) -> str:
    """Return the machine in one line."""
    return (
        f"{described['processor']}, {described['threads']} threads, PyTorch {described['torch']}: "
        f"{machine.flops / 1e9:.0f} GFLOP/s, {machine.bandwidth / 1e9:.1f} GB/s from {machine.working_set / 1e6:.0f} MB"
    )
