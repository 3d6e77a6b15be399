"""From what lies in a run's folder to a run as it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text
from kronos_app.services.finetune import records
from kronos_app.services.finetune.views import RunState, RunView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kronos_app.services.core.redaction import Redaction
    from kronos_app.services.finetune.runs import Run
    from training.run.folder import Status

# What is left after the last step, judging and exporting, as a part of all.
REST = 0.02


def view(run: Run, alive: bool, position: int | None, registered: Sequence[str], places: Redaction) -> RunView:
    """Return a run as it is shown.

    Parameters
    ----------
    alive
        Whether somebody trains it.
    position
        In the queue, None where it does not wait.
    registered
        What was registered of it.
    places
        What is not told of where things lie.
    """
    status = run.status()
    state = _state(status, alive, position)
    outcome = records.outcome(run)
    return RunView(
        id=run.id,
        name=run.name,
        created=run.created,
        state=state,
        phase=status.phase,
        step=status.step,
        steps=status.steps,
        progress=_progress(run, status),
        loss=status.loss,
        rate=status.rate if state == "running" else None,
        remaining=status.remaining if state == "running" else None,
        queue_position=position if state == "queued" else None,
        base=run.base,
        method=run.config["method"]["kind"],
        stages=stages(run),
        stopped=status.stopped,
        notes=tuple(places.redact_text(to_text(note)) for note in status.notes),
        error=_error(status, state, places),
        worse=outcome.worse,
        verdict=outcome.verdict,
        scores=outcome.scores,
        registered=list(registered),
    )


def stages(run: Run) -> tuple[str, ...]:
    """Return what a run trains, in order."""
    return tuple(name for name in ("tokenizer", "predictor") if run.config[name] is not None)


def _state(status: Status, alive: bool, position: int | None) -> RunState:
    if alive:
        return "running"
    if position is not None:
        return "queued"
    # Neither waiting nor trained, and never begun: whoever should have begun it died.
    return "interrupted" if status.state in {"queued", "running"} else status.state


def _progress(run: Run, status: Status) -> float:
    """Return the part done of all stages, by their steps."""
    if status.state == "finished":
        return 1.0
    steps = {name: int(run.config[name]["steps"]) for name in stages(run)}
    if status.phase == "preparing":
        return 0.0
    if status.phase in {"judging", "exporting"}:
        return 1.0 - REST
    before = [name for name in steps if name != status.phase][: list(steps).index(status.phase)]
    done = sum(steps[name] for name in before) + min(status.step, steps[status.phase])
    return (1.0 - REST) * done / sum(steps.values())


def _error(status: Status, state: RunState, places: Redaction) -> Text | None:
    if state in {"running", "queued"}:
        return None
    if status.error is not None:
        return places.redact_text(to_text(status.error))
    if status.state == "queued":
        return text("The trainer ended before training started; see the log.")
    return None


def flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    if not isinstance(values, dict):
        return {prefix: values}
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}.{name}" if prefix else str(name))
    return found
