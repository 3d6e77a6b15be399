"""Evaluation for pages and API: what models would have been worth on candles that are known.

An evaluation is a folder and, while it is made, a job: it goes on when the tab closes, and after a restart where it
was. What was cancelled or failed can be resumed; nothing is forecast twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kronos_app.errors import AppError, Conflict, InvalidInput, TooLarge
from kronos_app.i18n import Text, text
from kronos_app.services.evaluation.folders import Evaluation, EvaluationFolders
from kronos_app.services.evaluation.request import EvaluationData, EvaluationRequest, TaskName
from kronos_app.services.evaluation.task import settings_of
from kronos_app.services.evaluation.views import EvaluationView, PastForecast, past_forecast, view
from kronos_app.services.evaluation.worker import KIND, EvaluationWorker
from kronos_app.services.runs.service import WorkService
from kronos_app.services.selection.candles import qlib_parts
from kronos_app.services.selection.context import check_window
from kronos_app.services.selection.store_files import TuningData

if TYPE_CHECKING:
    from kronos_app.jobs import Job, JobRunner
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.services.selection.training_files import Part
    from kronos_app.settings import Settings

__all__ = [
    "KIND",
    "EvaluationData",
    "EvaluationPlan",
    "EvaluationRequest",
    "EvaluationService",
    "EvaluationView",
    "EvaluationWorker",
]

BYTES_A_CANDLE = 100  # as files, at most
BYTES_A_STEP = 400  # of what is kept of each candle that a forecaster forecasts, at most
FORECASTERS = 17  # models and baselines, at most
LONG = 50  # candles of a horizon, beyond which fewer cutoffs fit into memory
NAMED = 5  # series that a note lists


@dataclass(frozen=True)
class EvaluationPlan:
    """What a request comes to before anything is forecast.

    Attributes
    ----------
    request
        Its models are names of exactly one version.
    cutoffs
        Of all series together, at most: where a price stood still there is none.
    forecasts
        Of all models together.
    seconds
        What it may take by the pace of earlier evaluations, None where one of the models has none yet.
    notes
        What to know about the candles.
    """

    request: EvaluationRequest
    series: int
    cutoffs: int
    forecasts: int
    seconds: float | None
    notes: tuple[Text, ...]


class EvaluationService(WorkService[Evaluation, EvaluationView]):
    """Evaluations: planned, started, followed, deleted; every thread may use it."""

    _folders: EvaluationFolders

    def __init__(
        self,
        settings: Settings,
        candles: CandleService,
        series: SeriesService,
        models: ModelService,
        jobs: JobRunner,
        folders: EvaluationFolders,
    ) -> None:
        super().__init__(KIND, settings, jobs, folders)
        self._data = TuningData(settings, candles, series)
        self._models = models

    def plan(self, request: EvaluationRequest) -> EvaluationPlan:
        """Return what a request comes to; reads no candles.

        Raises
        ------
        InvalidInput, NotFound, TooLarge
            The models or the candles: what is wrong, and what to do.
        """
        return self._planned(request)[0]

    def preset(self, task: TaskName, data: EvaluationData, models: Sequence[str]) -> dict[str, Any]:
        """Return the settings of a task of the paper for such candles and models: fields of `EvaluationRequest`.

        Raises
        ------
        InvalidInput, NotFound
            The models or the candles, as `plan`; or a model that cannot hold so many candles.
        """
        parts, _ = self._parts(data)
        seconds = parts[0].read().interval.total_seconds()
        return settings_of(task, seconds, min(self._models.spec(name).max_context for name in models))

    def start(self, request: EvaluationRequest) -> EvaluationView:
        """Make an evaluation and queue its job.

        Raises
        ------
        InvalidInput, NotFound, TooLarge
            As `plan`.
        Conflict
            Too many evaluations are kept, or too many jobs wait.
        Unavailable
            The disk is full or cannot be written to.
        """
        with self._starting:
            plan, parts = self._planned(request)
            steps = plan.cutoffs * plan.request.horizon * FORECASTERS
            wanted = sum(part.rows for part in parts) * BYTES_A_CANDLE + steps * BYTES_A_STEP
            self._check_room(self._settings.max_evaluations, wanted)
            made = self._folders.make(plan.request, parts, plan.cutoffs, plan.notes)
            self._submit_new(made)
        return self.get(made.id)

    def csv(self, evaluation_id: str) -> str:
        """Return the scores of every forecaster at every cutoff as CSV, empty as long as there are none."""
        return self._folders.get(evaluation_id).csv()

    def past(self, evaluation_id: str, model: str, number: int) -> PastForecast | None:
        """Return the forecast at one of the worst cutoffs of a model, beside what came; None where there is none.

        Parameters
        ----------
        number
            Place in the report's `worst`.
        """
        return past_forecast(self._folders.get(evaluation_id), model, number)

    def record(self, model: str, candles_id: str) -> EvaluationView | None:
        """Return the newest evaluation of a model on a data set that has finished, None where there is none."""
        try:
            name = self._models.spec(model).name
        except AppError:
            return None
        for one in self._folders.list():
            if name in one.request.models and candles_id in one.request.data.candle_sets:
                seen = view(one, None)
                if name in seen.verdicts:
                    return seen
        return None

    def _view(self, work: Evaluation, job: Job | None) -> EvaluationView:
        return view(work, job)

    def _finished(self, work_id: str) -> Conflict:
        return Conflict(
            "evaluation_finished",
            text("The evaluation {id} is finished.", id=work_id),
            text("Start another one to evaluate anew."),
        )

    def _too_many(self, kept: int) -> Conflict:
        return Conflict(
            "too_many_evaluations",
            text("{kept} evaluations are kept already.", kept=kept),
            text("Delete some that are not needed; KRONOS_MAX_EVALUATIONS sets the limit."),
        )

    def _planned(self, request: EvaluationRequest) -> tuple[EvaluationPlan, Sequence[Part]]:
        request = self._with_exact_models(request)
        parts, notes = self._parts(request.data)
        counts = [request.cutoffs_of(part.rows) for part in parts]
        cutoffs = sum(counts)
        self._check_cutoffs(request, cutoffs)
        short = [part.name for part, count in zip(parts, counts, strict=True) if not count]
        if short:
            notes = [*notes, _too_short(short)]
        forecasts = cutoffs * len(request.models)
        seconds = self._seconds(request, cutoffs)
        used = [part for part, count in zip(parts, counts, strict=True) if count]
        return EvaluationPlan(request, len(used), cutoffs, forecasts, seconds, tuple(notes)), used

    def _parts(self, data: EvaluationData) -> tuple[list[Part], list[Text]]:
        of_qlib = data.kind == "qlib"
        parts, notes = (qlib_parts(self._settings, data), []) if of_qlib else self._data.parts(data.choice)
        if not parts:
            raise InvalidInput(
                "no_evaluation_data",
                text("No candles were chosen to forecast."),
                text("Choose data sets, stored series, a watchlist or a Qlib folder."),
            )
        return parts, notes

    def _with_exact_models(self, request: EvaluationRequest) -> EvaluationRequest:
        specs = [self._models.spec(name) for name in dict.fromkeys(request.models)]
        for spec in specs:
            check_window(request.lookback, request.horizon, spec)
        return request.model_copy(update={"models": list(dict.fromkeys(spec.name for spec in specs))})

    def _check_cutoffs(self, request: EvaluationRequest, cutoffs: int) -> None:
        if not cutoffs:
            raise InvalidInput(
                "too_few_candles",
                text(
                    "No series has the {wanted} candles that one history and one horizon take.",
                    wanted=request.lookback + request.horizon,
                ),
                text("Shorten lookback or horizon, or choose longer series."),
            )
        most = self._settings.max_cutoffs * LONG // max(LONG, request.horizon)
        if cutoffs > most:
            raise TooLarge(
                "too_many_cutoffs",
                text(
                    "{cutoffs} cutoffs are more than the {most} of one evaluation here.",
                    cutoffs=cutoffs,
                    most=most,
                ),
                text("Choose fewer series or fewer cutoffs of each; KRONOS_MAX_CUTOFFS sets the limit."),
            )

    def _seconds(self, request: EvaluationRequest, cutoffs: int) -> float | None:
        """Return what a request may take, by the newest evaluation that knows the pace of each forecaster."""
        paces: dict[str, float] = {}
        for one in reversed(self._folders.list()):
            paces |= (one.report() or {}).get("pace", {})
        if not all(name in paces for name in request.models):
            return None
        models = sum(paces.pop(name) for name in request.models) * request.samples * request.horizon
        baselines = sum(paces[name] for name in _baseline_names(request) if name in paces)
        return (models + baselines) * cutoffs


def _baseline_names(request: EvaluationRequest) -> list[str]:
    from training.evaluation.baselines import BASELINES, VECTORISED

    return [one.name for one in (BASELINES if request.fitted else VECTORISED)]


def _too_short(names: Sequence[str]) -> Text:
    return text(
        "{count} series are too short for one history and one horizon and left out: {symbols}.",
        count=len(names),
        symbols=", ".join(names[:NAMED]),
    )
