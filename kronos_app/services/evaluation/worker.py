"""The job of an evaluation: forecasts at every cutoff by every forecaster, then the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kronos_app.jobs import OnStep
from kronos_app.services.core.engine_errors import engine_errors
from kronos_app.services.core.training_errors import training_errors
from kronos_app.services.evaluation.report import compile_report, scores_csv
from kronos_app.services.evaluation.task import task_figures
from kronos_app.services.selection.context import unknown_training_end

if TYPE_CHECKING:
    from kronos_app.services.evaluation.request import EvaluationRequest
    from kronos_app.services.evaluation.run import Evaluation, EvaluationFolders
    from kronos_app.services.models.service import ModelService
    from training.evaluation.cutoffs import Cutoff
    from training.evaluation.forecasters import Forecaster, Members, Request

KIND = "evaluation"
CUTOFFS_A_STEP = 16  # forecasts between two checks for cancellation


class TimedForecaster:
    """A forecaster whose time is measured, and which can be cancelled between two parts of a batch.

    Parameters
    ----------
    on_forecasts
        Called before each part with the number of forecasts done; may raise to cancel.
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
        """Return what identifies its forecasts."""
        return self._forecaster.digest

    def forecast(self, request: Request) -> Members:
        """Return the forecasts of each past."""
        from training.evaluation.forecasters import Members

        parts = []
        for start in range(0, len(request.pasts), CUTOFFS_A_STEP):
            self._on_forecasts(start)
            some = slice(start, start + CUTOFFS_A_STEP)
            first = None if request.first is None else request.first[some]
            pasts, future, seeds = request.pasts[some], request.future[some], request.seeds[some]
            started = time.perf_counter()
            parts.append(
                self._forecaster.forecast(replace(request, pasts=pasts, future=future, seeds=seeds, first=first))
            )
            self.seconds += time.perf_counter() - started
            self.forecasts += len(pasts)
        impossible = [part.impossible for part in parts if part.impossible is not None]
        return Members(
            np.concatenate([part.close for part in parts]),
            parts[0].drawn,
            parts[0].driftless,
            np.concatenate(impossible) if impossible else None,
        )

    def seconds_per(self, divisor: int) -> dict[str, float]:
        """Return the seconds of a forecast by `divisor`, under the forecaster's name; empty where there was none."""
        return {self.name: self.seconds / self.forecasts / divisor} if self.forecasts else {}


class EvaluationWorker:
    """Makes evaluations; an interrupted one continues where it was."""

    def __init__(self, folders: EvaluationFolders, models: ModelService) -> None:
        self._folders = folders
        self._models = models

    def run(self, job: Mapping[str, Any], on_step: OnStep) -> str:
        """Make the evaluation and return its id; `on_step` may raise to cancel."""
        from training.evaluation.baselines import BASELINES, VECTORISED
        from training.evaluation.report import Report
        from training.evaluation.walk_forward import walk_forward

        evaluation = self._folders.get(str(job["evaluation"]))
        request = evaluation.request
        on_step(0, 0)
        with training_errors(), engine_errors(", ".join(request.models)):
            cutoffs = _cutoffs(evaluation)
            progress = _Progress(len(request.models), len(cutoffs), on_step)
            models = [TimedForecaster(model, progress.report) for model in self._load_models(evaluation)]
            baselines = [
                TimedForecaster(baseline, lambda _done: progress.report(0))
                for baseline in (BASELINES if request.fitted else VECTORISED)
            ]
            progress.forecasters = len(models) + len(baselines)
            results = walk_forward(
                [*models, *baselines], cutoffs, evaluation.scores, seed=request.seed, on_step=progress.finish_batches
            )
            report = Report(results, [baseline.name for baseline in baselines])
            seconds: dict[str, float] = {}
            for forecaster in (*models, *baselines):
                paths = evaluation.setups[forecaster.name].samples or 0 if forecaster in models else 0
                seconds |= forecaster.seconds_per(paths * request.horizon or 1)
            compiled = compile_report(report, cutoffs, self._warnings(request, cutoffs), seconds)
            compiled["task"] = task_figures(request.task, report) if request.task else None
        evaluation.write_result(compiled, scores_csv(report))
        return evaluation.id

    def _load_models(self, evaluation: Evaluation) -> list[Forecaster]:
        from training.evaluation.kronos import KronosForecaster

        models: list[Forecaster] = []
        for name in evaluation.request.models:
            with engine_errors(name):
                predictor = self._models.get(name)
            sampling = evaluation.setups[name].model_dump(exclude={"lookback", "horizon"})
            models.append(KronosForecaster(name, predictor, **sampling))
        return models

    def _warnings(self, request: EvaluationRequest, cutoffs: Sequence[Cutoff]) -> list[dict[str, Any]]:
        """Return for which models the cutoffs lie in the training period, or that period is unknown."""
        from training.evaluation.walk_forward import seen_in_training

        warnings: list[dict[str, Any]] = []
        markets = {cutoff.group.split("/")[0] for cutoff in cutoffs}
        for name in request.models:
            spec = self._models.spec(name)
            seen = seen_in_training(name, spec.seen_until, cutoffs)
            if seen is not None:
                warnings.append(seen.to_dict())
            if any(spec.seen_until(market) is None for market in markets):
                warnings.append(unknown_training_end(name).to_dict())
        return warnings


class _Progress:
    """Counts the forecasts of models; those of baselines take little time."""

    def __init__(self, models: int, cutoffs: int, on_step: OnStep) -> None:
        self.forecasters = models
        self._models, self._cutoffs, self._on_step = models, cutoffs, on_step
        self._done = 0

    def finish_batches(self, done: int, _total: int) -> None:
        """Count `done` batches of all forecasters."""
        from training.evaluation.walk_forward import AT_ONCE

        whole, begun = divmod(done, self.forecasters)
        size = min(AT_ONCE, max(0, self._cutoffs - whole * AT_ONCE))
        self._done = min(whole * AT_ONCE, self._cutoffs) * self._models + min(begun, self._models) * size
        self.report(0)

    def report(self, forecasts: int) -> None:
        """Report the finished batches and `forecasts` of the present one."""
        total = self._cutoffs * self._models
        self._on_step(min(self._done + forecasts, total), total)


def _cutoffs(evaluation: Evaluation) -> list[Cutoff]:
    from training.evaluation.cutoffs import rolling

    fields = evaluation.request.model_dump(include={"lookback", "horizon", "n_windows", "step_size"})
    return rolling(evaluation.read_candles(), **fields)
