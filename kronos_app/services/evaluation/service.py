"""Evaluations: how well models forecast candles of the past. Pages and API call this service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kronos_app.errors import AppError, InvalidInput, TooLarge
from kronos_app.i18n import Text, text
from kronos_app.services.core.view import View
from kronos_app.services.evaluation.past import PastForecast, past_forecast
from kronos_app.services.evaluation.request import EvaluationRequest, TaskName
from kronos_app.services.evaluation.run import Evaluation, EvaluationFolders
from kronos_app.services.evaluation.task import task_settings
from kronos_app.services.evaluation.worker import KIND, EvaluationWorker
from kronos_app.services.runs.service import JobRunService
from kronos_app.services.selection.context import check_window
from kronos_app.services.selection.request import CandleSelection
from kronos_app.services.selection.series import NAMED, Notes, Parts, SeriesSelector
from kronos_app.services.selection.setup import ForecastSetup, fill_in
from kronos_app.services.selection.training_files import cut, write

if TYPE_CHECKING:
    from kronos_app.jobs import JobRunner
    from kronos_app.services.candles.series import SeriesService
    from kronos_app.services.candles.service import CandleService
    from kronos_app.services.models.service import ModelService
    from kronos_app.settings import Settings

__all__ = ["KIND", "Evaluation", "EvaluationPlan", "EvaluationRequest", "EvaluationService", "EvaluationWorker"]

BYTES_A_CANDLE = 100  # of the files, at most
BYTES_A_STEP = 400  # of the saved scores of one forecaster and candle, at most
FORECASTERS = 17  # models and baselines, at most
LONG = 50  # longer horizons allow fewer cutoffs: scores of all must fit into memory


class EvaluationPlan(View):
    """The size of an evaluation before it starts.

    Attributes
    ----------
    request
        With the names of exact model versions.
    """

    request: SkipJsonSchema[EvaluationRequest] = Field(exclude=True)
    setups: dict[str, ForecastSetup] = Field(description="Of each model, with what it recommends.")
    series: int
    cutoffs: int = Field(description="Of all series together, at most.")
    forecasts: int = Field(description="Of all models together.")
    seconds: float | None = Field(description="About what it would take; null where no earlier one tells.")
    notes: tuple[Text, ...]


class EvaluationService(JobRunService[Evaluation]):
    """Plans, starts and reads evaluations; every thread may use it."""

    def __init__(
        self,
        settings: Settings,
        candles: CandleService,
        series: SeriesService,
        models: ModelService,
        jobs: JobRunner,
        folders: EvaluationFolders,
    ) -> None:
        super().__init__(settings, jobs, folders, settings.max_evaluations)
        self._selector = SeriesSelector(settings, candles, series)
        self._models = models

    def plan(self, request: EvaluationRequest) -> EvaluationPlan:
        """Return the size of an evaluation; reads candles only to count those up to `until`.

        Raises InvalidInput, NotFound or TooLarge (the models or the candles: what is wrong, and what to do).
        """
        return self._plan(request)[0]

    def preset(self, task: TaskName, selection: CandleSelection, models: Sequence[str]) -> dict[str, Any]:
        """Return the fields of `EvaluationRequest` that a task of the paper sets for these candles and models.

        Raises InvalidInput or NotFound (as `plan`; or the context of a model is too short).
        """
        interval = self._find(selection)[0][0].read().interval
        return task_settings(
            task, interval.total_seconds(), min(self._models.spec(name).max_context for name in models)
        )

    def start(self, request: EvaluationRequest) -> Evaluation:
        """Create an evaluation and queue its job.

        Raises InvalidInput, NotFound or TooLarge (as `plan`), Conflict (too many evaluations are saved, or too many
        jobs wait) or Unavailable (the disk is full or cannot be written to).
        """
        with self._starting:
            plan, parts = self._plan(request)
            setups = {name: setup.model_dump() for name, setup in plan.setups.items()}
            scores = plan.cutoffs * plan.request.horizon * FORECASTERS
            self._check_room(sum(part.rows for part in parts) * BYTES_A_CANDLE + scores * BYTES_A_STEP)

            def copy(folder: Path) -> tuple[list[str], dict[str, Any]]:
                write(parts, folder)
                return [part.name for part in parts], {"series": len(parts), "cutoffs": plan.cutoffs, "setups": setups}

            return self._start(plan.request, plan.notes, copy)

    def csv(self, evaluation_id: str) -> str:
        """Return the scores of every forecaster at every cutoff as CSV, empty until the evaluation has finished."""
        return self._folders.get(evaluation_id).csv()

    def past(self, evaluation_id: str, model: str, number: int) -> PastForecast | None:
        """Return the forecast at a cutoff of the report's `worst`, None where there is none of this number."""
        return past_forecast(self._folders.get(evaluation_id), model, number)

    def record(self, model: str, candles_id: str) -> Evaluation | None:
        """Return the newest finished evaluation of a model on a whole data set, None where there is none."""
        try:
            name = self._models.spec(model).name
        except AppError:
            return None
        for run in self._folders.list():
            chosen = run.request.until is None and candles_id in run.request.data.candle_sets
            if chosen and name in run.verdicts:
                return run
        return None

    def _plan(self, request: EvaluationRequest) -> tuple[EvaluationPlan, Parts]:
        specs = [self._models.spec(name) for name in request.models]
        for spec in specs:
            check_window(request.lookback, request.horizon, spec)
        setups = {spec.name: fill_in(ForecastSetup.of(request), spec) for spec in specs}
        request = request.model_copy(update={"models": list(setups)})
        parts, notes = self._find(request.data)
        if request.until is not None:
            parts = [cut(part, request.until) for part in parts]
        counts = {part: request.count_cutoffs(part.rows) for part in parts}
        cutoffs = sum(counts.values())
        self._check_cutoffs(request, cutoffs)
        short = [part.name for part, count in counts.items() if not count]
        if short:
            note = text(
                "{count} series are too short for one history and one horizon and left out: {symbols}.",
                count=len(short),
                symbols=", ".join(short[:NAMED]),
            )
            notes = [*notes, note]
        used = [part for part, count in counts.items() if count]
        plan = EvaluationPlan(
            request=request,
            setups=setups,
            series=len(used),
            cutoffs=cutoffs,
            forecasts=cutoffs * len(request.models),
            seconds=self._estimate_seconds(request, setups, cutoffs),
            notes=tuple(notes),
        )
        return plan, used

    def _find(self, selection: CandleSelection) -> tuple[Parts, Notes]:
        parts, notes = self._selector.find(selection)
        if not parts:
            raise InvalidInput(
                "no_evaluation_data",
                text("No candles were chosen to forecast."),
                text("Choose data sets, stored series, a watchlist or a Qlib folder."),
            )
        return parts, notes

    def _check_cutoffs(self, request: EvaluationRequest, cutoffs: int) -> None:
        if not cutoffs:
            raise InvalidInput(
                "too_few_candles",
                text(
                    "No series has {count} candles, which one history and one horizon need.",
                    count=request.lookback + request.horizon,
                ),
                text("Shorten lookback or horizon, or choose longer series."),
            )
        most = self._settings.max_cutoffs * LONG // max(LONG, request.horizon)
        if cutoffs > most:
            raise TooLarge(
                "too_many_cutoffs",
                text("{cutoffs} cutoffs are more than the {most} of one evaluation here.", cutoffs=cutoffs, most=most),
                text("Choose fewer series or fewer cutoffs of each; KRONOS_MAX_CUTOFFS sets the limit."),
            )

    def _estimate_seconds(
        self, request: EvaluationRequest, setups: Mapping[str, ForecastSetup], cutoffs: int
    ) -> float | None:
        """Return the time that an evaluation takes at the newest known pace of each forecaster."""
        from training.evaluation.baselines import BASELINES, VECTORISED

        paces: dict[str, float] = {}
        for run in reversed(self._folders.list()):
            paces |= (run.report or {}).get("pace", {})
        if not all(name in paces for name in request.models):
            return None
        models = sum(paces.pop(name) * (setup.samples or 0) for name, setup in setups.items()) * request.horizon
        names = [baseline.name for baseline in (BASELINES if request.fitted else VECTORISED)]
        return (models + sum(paces.get(name, 0.0) for name in names)) * cutoffs
