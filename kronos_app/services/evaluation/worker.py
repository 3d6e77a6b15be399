"""The job that evaluates: forecasts at every cutoff by every forecaster, then the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kronos_app.i18n import text
from kronos_app.jobs import OnStep
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.evaluation.report import compiled, scores_csv
from kronos_app.services.evaluation.task import told

if TYPE_CHECKING:
    from kronos_app.services.evaluation.folders import Evaluation, EvaluationFolders
    from kronos_app.services.evaluation.request import EvaluationRequest
    from kronos_app.services.models.service import ModelService
    from training.evaluation.cutoffs import Cutoff
    from training.evaluation.forecasters import Forecaster, Members, Request

KIND = "evaluation"
TOGETHER = 16  # cutoffs between two moments to cancel


class Watched:
    """A forecaster that is timed, and that can be stopped between some cutoffs and the next.

    Parameters
    ----------
    on_forecasts
        Called with how many forecasts were made before each part; may raise to cancel.
    """

    def __init__(self, forecaster: Forecaster, on_forecasts: Callable[[int], None]) -> None:
        self._forecaster = forecaster
        self._on_forecasts = on_forecasts
        self.seconds, self.forecasts = 0.0, 0

    @property
    def name(self) -> str:
        """Return the name that tables show."""
        return self._forecaster.name

    @property
    def digest(self) -> str:
        """Return what identifies its answers."""
        return self._forecaster.digest

    def forecast(self, request: Request) -> Members:
        """Return what may follow each past."""
        from training.evaluation.forecasters import Members

        parts = []
        for start in range(0, len(request.pasts), TOGETHER):
            self._on_forecasts(start)
            some = slice(start, start + TOGETHER)
            first = None if request.first is None else request.first[some]
            pasts, future, seeds = request.pasts[some], request.future[some], request.seeds[some]
            part = replace(request, pasts=pasts, future=future, seeds=seeds, first=first)
            started = time.perf_counter()
            parts.append(self._forecaster.forecast(part))
            self.seconds += time.perf_counter() - started
            self.forecasts += len(part.pasts)
        impossible = [part.impossible for part in parts if part.impossible is not None]
        return Members(
            np.concatenate([part.close for part in parts]),
            parts[0].drawn,
            parts[0].driftless,
            np.concatenate(impossible) if impossible else None,
        )


class EvaluationWorker:
    """Makes the evaluations that `EvaluationService` queued; what an earlier attempt forecast is not forecast again."""

    def __init__(self, folders: EvaluationFolders, models: ModelService) -> None:
        self._folders = folders
        self._models = models

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Do it, keep the report, and return the evaluation's id; `on_step` may raise to cancel."""
        evaluation = self._folders.get(str(job["evaluation"]))
        self._evaluate(evaluation, on_step)
        return evaluation.id

    def _evaluate(self, evaluation: Evaluation, on_step: OnStep) -> None:
        from training.evaluation.report import Report
        from training.evaluation.walk_forward import walk_forward

        request = evaluation.request
        on_step(0, 0)
        with training_errors(), engine_errors(", ".join(request.models)):
            places = _cutoffs(evaluation)
            progress = _Progress(len(request.models), len(places), on_step)
            models = [Watched(one, progress.inside) for one in self._forecasters(request)]
            baselines = [Watched(one, lambda _: progress.inside(0)) for one in _baselines(request)]
            progress.forecasters = len(models) + len(baselines)
            results = walk_forward(
                [*models, *baselines], places, evaluation.scores, seed=request.seed, on_step=progress.batch
            )
            report = Report(results, [one.name for one in baselines])
            pace = _pace(models, request.samples * request.horizon) | _pace(baselines, 1)
            found = compiled(report, places, self._warnings(request, places), pace)
            found["task"] = told(request.task, report) if request.task else None
        evaluation.write_report(found, scores_csv(report))

    def _forecasters(self, request: EvaluationRequest) -> list[Forecaster]:
        from training.evaluation.kronos import KronosForecaster

        found: list[Forecaster] = []
        for name in request.models:
            with engine_errors(name):
                predictor = self._models.get(name)
            found.append(KronosForecaster(name, predictor, request.samples, request.temperature, request.top_p))
        return found

    def _warnings(self, request: EvaluationRequest, places: Sequence[Cutoff]) -> list[dict[str, Any]]:
        """Return where models may have learned what they forecast here, or nobody knows."""
        from training.evaluation.walk_forward import seen_in_training

        told: list[dict[str, Any]] = []
        for name in request.models:
            spec = self._models.spec(name)
            seen = seen_in_training(name, spec.seen_until, places)
            if seen is not None:
                told.append(seen.to_dict())
            if any(spec.seen_until(group.split("/")[0]) is None for group in {place.group for place in places}):
                unknown = text("Nobody stated up to when {model} learned from such markets.", model=name)
                told.append(unknown.to_dict())
        return told


class _Progress:
    """Counts the forecasts of models, done or found: those of baselines cost little."""

    def __init__(self, models: int, cutoffs: int, on_step: OnStep) -> None:
        self.forecasters = models
        self._models, self._cutoffs, self._on_step = models, cutoffs, on_step
        self._done = 0

    def batch(self, done: int, _total: int) -> None:
        """Note that so many batches of all forecasters are done."""
        from training.evaluation.walk_forward import AT_ONCE

        whole, begun = divmod(done, self.forecasters)
        here = min(AT_ONCE, max(0, self._cutoffs - whole * AT_ONCE))
        self._done = min(whole * AT_ONCE, self._cutoffs) * self._models + min(begun, self._models) * here
        self.inside(0)

    def inside(self, forecasts: int) -> None:
        """Note that so many forecasts of the present batch are done."""
        total = self._cutoffs * self._models
        self._on_step(min(self._done + forecasts, total), total)


def _cutoffs(evaluation: Evaluation) -> list[Cutoff]:
    from training.evaluation.cutoffs import rolling

    request = evaluation.request
    return rolling(
        evaluation.read(),
        lookback=request.lookback,
        horizon=request.horizon,
        n_windows=request.n_windows,
        step_size=request.step_size,
    )


def _baselines(request: EvaluationRequest) -> Sequence[Forecaster]:
    from training.evaluation.baselines import BASELINES, VECTORISED

    return BASELINES if request.fitted else VECTORISED


def _pace(forecasters: Sequence[Watched], drawn: int) -> dict[str, float]:
    """Return the seconds of one of `drawn` candles at one cutoff, by forecaster, where any was forecast."""
    return {one.name: one.seconds / one.forecasts / drawn for one in forecasters if one.forecasts}
