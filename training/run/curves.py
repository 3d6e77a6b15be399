"""Plots the losses of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import RunError
from training.run.config import STAGES
from training.run.folder import RunFolder, write_error
from training.saved import load_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png", ".pdf")


def draw_curves(runs: Sequence[Path], out: Path) -> None:
    """Plot the training (thin) and validation (thick) losses of runs by step, a panel per stage, to an image file.

    Raises RunError if no run has a log, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    if out.suffix.lower() not in FORMATS:
        raise RunError("{file} must end in .svg, .png or .pdf.", file=str(out))
    logs = {stage: {run: load_rows(RunFolder(run).stage_log(stage)) for run in runs} for stage in STAGES}
    panels = {stage: by_run for stage, by_run in logs.items() if any(by_run.values())}
    if not panels:
        raise RunError("There is no log in {folders}: name folders of runs.", folders=", ".join(map(str, runs)))
    figure = Figure(figsize=(5.5 * len(panels), 3.4), layout="constrained")
    for axis, (stage, by_run) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for run, rows in by_run.items():
            _draw(axis, run.name, rows)
        axis.set(title=stage, xlabel="step", ylabel="loss")
        axis.legend(frameon=False)
    try:
        figure.savefig(out)
    except OSError as error:
        raise RunError(write_error(out.parent, error)) from error


def _draw(axis: Axes, name: str, rows: list[dict[str, Any]]) -> None:
    color = None
    for column, label, width in (("validation_loss", "validation", 1.8), ("loss", "training", 0.7)):
        points = [(row["step"], row[column]) for row in rows if column in row]
        if points:
            line = axis.plot(*zip(*points, strict=True), label=f"{name}, {label}", linewidth=width, color=color)[0]
            color = line.get_color()
