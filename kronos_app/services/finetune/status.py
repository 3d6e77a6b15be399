"""The state of a run, from the files in its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_app.i18n import Text, text
from kronos_app.services.core.training_errors import to_text
from kronos_app.services.finetune import records
from kronos_app.services.finetune.run import TuneState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kronos_app.services.core.redaction import Redaction
    from kronos_app.services.finetune.run import TuneRun
    from training.run.folder import Status

SCORING_SHARE = 0.02  # of the progress of a run, after its last step


def with_status(
    run: TuneRun, alive: bool, position: int | None, registered: Sequence[str], redaction: Redaction
) -> TuneRun:
    """Return a run with the state and the progress of its trainer.

    Parameters
    ----------
    alive
        Whether its trainer runs.
    position
        In the queue, None if it is not queued.
    registered
        Labels of its registered versions.
    redaction
        Removes paths from messages.
    """
    status = run.status()
    state = _state(status, alive, position)
    changes = status.model_dump(include={"phase", "step", "steps", "loss", "stopped"})
    if state == "running":
        changes |= {"rate": status.rate, "remaining": status.remaining}
    elif state == "queued":
        changes["queue_position"] = position
    if run.scores is None and (looks := records.read_looks(run)):
        changes["scores"] = looks[-1].get("forecasters")
    error = _error(status, state)
    if error is not None:
        changes["error"] = redaction.redact_text(error)
    changes |= {
        "state": state,
        "progress": _progress({stage: int(run.config[stage]["steps"]) for stage in run.stages}, status),
        "notes": tuple(redaction.redact_text(to_text(note)) for note in status.notes),
        "registered": list(registered),
    }
    return run.model_copy(update=changes)


def _state(status: Status, alive: bool, position: int | None) -> TuneState:
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


def _error(status: Status, state: TuneState) -> Text | None:
    if state in {"running", "queued"}:
        return None
    if status.error is not None:
        return to_text(status.error)
    return text("The trainer ended before training started; see the log.") if status.state == "queued" else None
