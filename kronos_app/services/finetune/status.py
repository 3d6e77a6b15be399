"""The view of a run, from the files in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text
from kronos_app.services.finetune import records
from kronos_app.services.finetune.views import RunState, RunView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kronos_app.services.core.redaction import Redaction
    from kronos_app.services.finetune.runs import Run
    from training.run.folder import Status

SCORING_SHARE = 0.02  # of the progress of a run, after its last step


def view_run(run: Run, alive: bool, position: int | None, registered: Sequence[str], places: Redaction) -> RunView:
    """Return the view of a run.

    Parameters
    ----------
    alive
        Whether its trainer runs.
    position
        In the queue, None if it is not queued.
    registered
        Labels of its registered versions.
    places
        Removes paths from messages.
    """
    status = run.status()
    state = _state(status, alive, position)
    stages = tuple(name for name in ("tokenizer", "predictor") if run.config[name] is not None)
    outcome = records.outcome(run)
    changed = {
        "id": run.id,
        "name": run.name,
        "created": run.created,
        "state": state,
        "progress": _progress({name: int(run.config[name]["steps"]) for name in stages}, status),
        "queue_position": position if state == "queued" else None,
        "base": run.base,
        "method": run.config["method"]["kind"],
        "stages": stages,
        "notes": tuple(places.redact_text(to_text(note)) for note in status.notes),
        "error": _error(status, state, places),
        "registered": list(registered),
    }
    if state != "running":
        changed |= {"rate": None, "remaining": None}
    return RunView.model_validate({**dict(status), **vars(outcome), **changed})


def _state(status: Status, alive: bool, position: int | None) -> RunState:
    if alive:
        return "running"
    if position is not None:
        return "queued"
    # Neither queued nor started: the process that should have started it died.
    return "interrupted" if status.state in {"queued", "running"} else status.state


def _progress(steps: dict[str, int], status: Status) -> float:
    """Return the completed share of the steps of all stages."""
    if status.state == "finished":
        return 1.0
    if status.phase == "preparing":
        return 0.0
    if status.phase in {"judging", "exporting"}:
        return 1.0 - SCORING_SHARE
    before = list(steps.values())[: list(steps).index(status.phase)]
    done = sum(before) + min(status.step, steps[status.phase])
    return (1.0 - SCORING_SHARE) * done / sum(steps.values())


def _error(status: Status, state: RunState, places: Redaction) -> Text | None:
    if state in {"running", "queued"}:
        return None
    if status.error is not None:
        return places.redact_text(to_text(status.error))
    return text("The trainer ended before training started; see the log.") if status.state == "queued" else None
