"""A run's log as a picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from training.loop import LOG


def draw_curves(runs: list[Path], out: Path) -> None:
    """Write one panel a run, with the loss trained on and the validation loss by step, to an SVG or PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(runs), 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs), squeeze=False)[0]
    for axis, run in zip(axes, runs, strict=True):
        log = pd.read_json(run / LOG, lines=True)
        # After an interrupted run the steps since the last checkpoint stand in the log twice: the later ones count.
        for column, label in (("train_loss", "training"), ("validation_loss", "validation")):
            if column not in log:  # a trial shorter than one line of the log
                continue
            points = log.dropna(subset=[column]).drop_duplicates("step", keep="last").sort_values("step")
            axis.plot(points["step"], points[column], label=label, linewidth=1.2)
        axis.set(title=run.name, xlabel="step", ylabel="loss")
        axis.legend(frameon=False)
    figure.savefig(out)
