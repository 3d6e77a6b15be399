"""The result of a finished run for the model registry."""

from __future__ import annotations

from kronos_app.errors import Conflict
from kronos_app.i18n import text
from kronos_app.services.core.redaction import Redaction
from kronos_app.services.finetune.run import TuneRun
from kronos_app.services.models.registry import TrainedModel
from kronos_app.settings import Settings


def trained_model(settings: Settings, run: TuneRun) -> TrainedModel:
    """Return the exported model of a run with its scores.

    Raises Conflict: the run is not finished, or its result was deleted.
    """
    if run.state != "finished":
        raise Conflict(
            "run_not_finished",
            text("{name} is not finished.", name=run.name),
            text("Wait until it has finished, or stop it and save the best checkpoint."),
        )
    export = run.folder.export
    if not ((export / "model").is_dir() and (export / "tokenizer").is_dir()):
        raise Conflict(
            "export_missing",
            text("The result of {name} was deleted.", name=run.name),
            text("Copy the run and train it again."),
        )
    return TrainedModel(
        run_id=run.id,
        export=export,
        base=run.base,
        method=run.method,
        context=run.context,
        scores=run.scores,
        worse=run.worse,
        redact=Redaction(settings, run.config["base"], run.base).redact,
    )
