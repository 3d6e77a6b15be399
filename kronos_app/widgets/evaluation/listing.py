"""Evaluations in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from kronos_app import state
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import Evaluation, EvaluationService
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation.run import render_evaluation
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs.listing import JobRunList


class EvaluationList(JobRunList[Evaluation]):
    """How evaluations are listed."""

    page: ClassVar[str] = "evaluate"
    parameter: ClassVar[str] = "evaluation"
    icon: ClassVar[str] = ":material/query_stats:"
    none: ClassVar[Text] = text("There is no evaluation yet. Start with New evaluation.")
    all: ClassVar[Text] = text("All evaluations")
    kept: ClassVar[Text] = text("The forecasts are saved: Resume continues from there.")
    delete: ClassVar[Text] = text("Delete the evaluation {name}?")
    deleted: ClassVar[Text] = text("Its scores are deleted; models and candles stay.")
    loading: ClassVar[Text] = text("Loading the models")
    counted: ClassVar[Text] = text("{done} of {total} forecasts")
    ending: ClassVar[Text] = text("Computing the scores")

    @property
    def service(self) -> EvaluationService:
        """Return the evaluations of this process."""
        return desk().evaluations

    def title(self, run: Evaluation) -> str:
        """Return the models and the candles of an evaluation."""
        return _("{models} on {candles}").format(models=", ".join(run.request.models), candles=run.origin)

    def settings(self, run: Evaluation) -> Sequence[str]:
        """Return cutoffs and candles; verdicts name the rest."""
        request = run.request
        return [
            _("{cutoffs} cutoffs").format(cutoffs=formats.number(run.cutoffs, 0)),
            _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
            *([_("candles up to {time}").format(time=formats.time(request.until))] if request.until else []),
        ]

    def results(self, run: Evaluation) -> Sequence[str]:
        """Return a sentence for each model."""
        return [f"{state.say(verdict)} {state.say(run.describe_setup(name))}" for name, verdict in run.verdicts.items()]

    def render_finished(self, run: Evaluation) -> None:
        """Render verdicts and scores."""
        render_evaluation(run)


EVALUATIONS = EvaluationList()
