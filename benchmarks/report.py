"""Results as a record that is written as JSON, and as a table for people."""

from __future__ import annotations

from typing import Any

from benchmarks.cases import Case
from benchmarks.machine import Machine
from benchmarks.memory import ALLOWED, allowed
from benchmarks.roofline import bound
from benchmarks.shapes import Shape
from benchmarks.timing import Timing

Record = dict[str, Any]
HEAD = ("case", "window", "plain s", "s", "ratio", "to reach", "paths/s", "MB", "bound s", "of bound")
WIDTHS = (32, 9, 10, 9, 9, 14, 9, 8, 9, 10)


def case_record(
    shape: Shape,
    case: Case,
    timing: Timing,
    machine: Machine,
    *,
    plain_steps: int | None = None,
    weights: str = "float32",
) -> Record:
    """Return everything measured of a case but its memory."""
    scaled = plain_steps if plain_steps and plain_steps < case.horizon else None
    return {
        "case": case.name,
        "size": case.size,
        "series": case.series,
        "samples": case.samples,
        "history": case.history,
        "horizon": case.horizon,
        "context": case.context,
        "plain": {"seconds": timing.plain_median(), "runs": timing.plain, "scaled_from_steps": scaled},
        "windows": {
            window: _window_record(case, window, timing, bound(shape, case, window, machine, weights))
            for window in case.windows
        },
        "memory": {},
        "reference": None,
    }


def _window_record(case: Case, window: str, timing: Timing, least: Record) -> Record:
    seconds, ratio = timing.fast_median(window), timing.ratio(window)
    target = case.targets.get(window)
    return {
        "seconds": seconds,
        "runs": timing.fast[window],
        "first_run": timing.first[window],
        "ratio": ratio,
        "target": target,
        "reached": None if target is None else ratio >= target,
        "paths_per_second": case.paths / seconds,
        "bound": least,
        "of_bound": least["seconds"] / seconds,
        "ratio_at_bound": timing.plain_median() / least["seconds"],
    }


def head() -> str:
    """Return the first line of the table."""
    return _line(HEAD)


def lines(record: Record) -> list[str]:
    """Return a line of the table for each window of a case."""
    plain = record["plain"]
    shown = f"{plain['seconds']:.2f}" + ("*" if plain["scaled_from_steps"] else "")
    return [
        _line(
            (
                record["case"],
                window,
                shown,
                f"{one['seconds']:.3f}",
                f"{one['ratio']:.1f}×",
                _target(one),
                f"{one['paths_per_second']:.1f}",
                f"{record['memory'][window]['beyond'] / 1e6:.0f}" if window in record["memory"] else "–",
                f"{one['bound']['seconds']:.3f}",
                f"{one['of_bound']:.0%}",
            )
        )
        for window, one in record["windows"].items()
    ]


def first_runs(record: Record) -> str:
    """Return the seconds of the run that nothing was ready for, by window."""
    return ", ".join(f"{window} {one['first_run']:.1f} s" for window, one in record["windows"].items())


def footnotes(records: list[Record]) -> list[str]:
    """Return what has to be said below the table."""
    notes = []
    steps = sorted({r["plain"]["scaled_from_steps"] for r in records if r["plain"]["scaled_from_steps"]})
    if steps:
        counts = " or ".join(str(count) for count in steps)
        notes.append(f"* scaled from {counts} evenly spaced steps of the plain loop; its other steps were not run.")
    if any(r["memory"] for r in records):
        notes.append("MB: peak memory beyond the weights, in a process of its own.")
    wanted = [one["reached"] for r in records for one in r["windows"].values() if one["reached"] is not None]
    if wanted:
        notes.append(f"{sum(wanted)} of {len(wanted)} ratios reached.")
    return notes


def machine_line(described: Record, machine: Machine) -> str:
    """Return the machine in a line."""
    return (
        f"{described['processor']}, {described['threads']} threads, PyTorch {described['torch']}: "
        f"{machine.flops / 1e9:.0f} GFLOP/s, {machine.bandwidth / 1e9:.1f} GB/s from {machine.working_set / 1e6:.0f} MB"
    )


def _target(one: Record) -> str:
    if one["target"] is None:
        return "–"
    return f"{one['target']:g}× {'reached' if one['reached'] else 'missed'}"


def _line(cells: tuple[str, ...]) -> str:
    first, second, *rest = cells
    left = f"{first:<{WIDTHS[0]}}{second:<{WIDTHS[1]}}"
    return left + "".join(f"{cell:>{width}}" for cell, width in zip(rest, WIDTHS[2:], strict=True))


def memory_notes(records: list[Record]) -> list[str]:
    """Return, where the same work was measured for one path and for more, whether the memory stays within bounds."""
    notes = []
    for many in records:
        for one in records:
            if one["samples"] == 1 < many["samples"] and _work(one) == _work(many):
                notes += [
                    _memory_note(many, window, one["memory"][window], many["memory"][window])
                    for window in many["memory"]
                    if window in one["memory"]
                ]
    return notes


def _memory_note(record: Record, window: str, one: Record, many: Record) -> str:
    most = allowed(one, many)
    verdict = "within" if many["beyond"] <= most else "BEYOND"
    return (
        f"{record['case']}, {window}: {many['beyond'] / 1e6:.0f} MB are {verdict} the {most / 1e6:.0f} MB of "
        f"{ALLOWED:g} × one path ({one['beyond'] / 1e6:.0f} MB) and the paths' own keys and values "
        f"({many['own'] / 1e6:.0f} MB); "
        f"the whole process {many['process'] / 1e6:.0f} MB and {one['process'] / 1e6:.0f} MB."
    )


def _work(record: Record) -> tuple[object, ...]:
    return tuple(record[name] for name in ("size", "series", "history", "horizon"))
