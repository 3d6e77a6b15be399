"""The tasks of the paper: their settings, and their figures beside the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kronos_app.services.core.training_errors import training_errors

if TYPE_CHECKING:
    from kronos_app.services.evaluation.request import TaskName
    from training.evaluation.report import Report


def task_settings(task: TaskName, seconds: float, context: int) -> dict[str, Any]:
    """Return the fields of `EvaluationRequest` that a task sets.

    Parameters
    ----------
    seconds
        Length of a candle.
    context
        Shortest context of the models, in candles.

    Raises InvalidInput (the context is too short for history and horizon).
    """
    from training.evaluation.tasks.presets import TASKS

    preset = TASKS[task]
    with training_errors():
        lookback, horizon = preset.window(seconds, context)
    sampling = {name: getattr(preset, name) for name in ("samples", "temperature", "top_p")}
    return {"lookback": lookback, "horizon": horizon, **sampling}


def task_figures(task: TaskName, report: Report) -> dict[str, Any]:
    """Return the figures of a task, JSON-ready.

    `figures` are the names of the figures, `rows` their values and intervals by market and forecaster (without rows
    that have no value), `published` the figures of the paper, by model, data and table.
    """
    from training.evaluation.tasks.forecasting import by_market
    from training.evaluation.tasks.presets import TASKS
    from training.evaluation.tasks.published import PAPER, PUBLISHED

    rows: list[dict[str, Any]] = [
        {"market": market, "forecaster": name, "figures": {key: figure.to_dict() for key, figure in figures.items()}}
        for market, forecasters in by_market(task, report).items()
        for name, figures in forecasters.items()
    ]
    return {
        "name": task,
        "figures": list(TASKS[task].figures),
        "rows": [row for row in rows if any(figure["value"] is not None for figure in row["figures"].values())],
        "paper": PAPER,
        "published": [
            {"model": row.model, "data": row.data.to_dict(), "table": row.table, "figures": dict(row.figures)}
            for row in PUBLISHED[task]
        ],
    }
