"""The tasks of the paper as the Evaluate page and the API know them: settings, figures, what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kronos_app.services.core.training_errors import training_errors

if TYPE_CHECKING:
    from kronos_app.services.evaluation.request import TaskName
    from training.evaluation.report import Report


def settings_of(task: TaskName, seconds: float, context: int) -> dict[str, Any]:
    """Return the fields of `EvaluationRequest` that a task sets.

    Parameters
    ----------
    seconds
        Of a candle.
    context
        Candles that the smallest model holds.

    Raises
    ------
    InvalidInput
        It holds no history beside the forecast.
    """
    from training.evaluation.tasks.presets import TASKS

    one = TASKS[task]
    with training_errors():
        lookback, horizon = one.window(seconds, context)
    return {
        "lookback": lookback,
        "horizon": horizon,
        "samples": one.samples,
        "temperature": one.temperature,
        "top_p": one.top_p,
    }


def told(task: TaskName, report: Report) -> dict[str, Any]:
    """Return the figures of a task, JSON-ready.

    Keys name, figures (their names), rows (market, forecaster, figures with their intervals; those without any are left
    out), paper and published (model, data, table, figures).
    """
    from training.evaluation.tasks.forecasting import by_market
    from training.evaluation.tasks.presets import TASKS
    from training.evaluation.tasks.published import PAPER, PUBLISHED

    found = [
        (market, name, {figure: estimate.to_dict() for figure, estimate in figures.items()})
        for market, forecasters in by_market(task, report).items()
        for name, figures in forecasters.items()
    ]
    rows = [
        {"market": market, "forecaster": name, "figures": figures}
        for market, name, figures in found
        if any(one["value"] is not None for one in figures.values())
    ]
    lines = [
        {"model": one.model, "data": one.data.to_dict(), "table": one.table, "figures": dict(one.figures)}
        for one in PUBLISHED[task]
    ]
    return {
        "name": task,
        "figures": list(TASKS[task].figures),
        "rows": rows,
        "paper": PAPER,
        "published": lines,
    }
