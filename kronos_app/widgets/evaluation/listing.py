"""Evaluations as they are listed and headed."""

from __future__ import annotations

from collections.abc import Sequence

from kronos_app import state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.evaluation.service import EvaluationService, EvaluationView
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation.form import EVALUATION
from kronos_app.widgets.kit import formats
from kronos_app.widgets.runs import words as work_words
from kronos_app.widgets.runs.listing import WorkList


class EvaluationList(WorkList[EvaluationView]):
    """See `WorkList`."""

    page = "evaluate"
    parameter = EVALUATION
    icon = ":material/query_stats:"
    page_key = state.EVALUATE_PAGE

    @property
    def service(self) -> EvaluationService:
        """Return the evaluations of this process."""
        return desk().evaluations

    def title(self, seen: EvaluationView) -> str:
        """Return the models and the candles of an evaluation."""
        return _("{models} on {candles}").format(models=", ".join(seen.request.models), candles=seen.origin)

    def details(self, seen: EvaluationView) -> str:
        """Return what an evaluation is made of, in one line."""
        request = seen.request
        return " · ".join(
            [
                _("{cutoffs} cutoffs").format(cutoffs=formats.number(seen.cutoffs, 0)),
                _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
                _("{samples} paths each").format(samples=request.samples),
                _("started {moment}").format(moment=formats.moment(seen.created)),
            ]
        )

    def sentence(self, seen: EvaluationView) -> str:
        """Return how far it is and how long it will take, as far as that is known."""
        return work_words.sentence(
            seen,
            loading=_("Waiting for its turn, or loading the models"),
            counted=_("{done} of {total} forecasts"),
            ending=_("Putting the scores together"),
        )

    def verdicts(self, seen: EvaluationView) -> Sequence[Text]:
        """Return a sentence for each model."""
        return tuple(seen.verdicts.values())

    def words(self) -> dict[str, str]:
        """Return the words that are an evaluation's own."""
        return {
            "none": _("Nothing was evaluated yet. Begin with New evaluation."),
            "all": _("All evaluations"),
            "kept": _("What was forecast is kept: Resume goes on from there."),
            "delete": _("Delete the evaluation {name}?"),
            "gone": _("Its scores are gone; models and candles stay."),
        }


EVALUATIONS = EvaluationList()
