"""Evaluations as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from kronos_app.i18n import Text
from kronos_app.services.evaluation_report import LEVELS
from kronos_app.services.rendering import localised

if TYPE_CHECKING:
    from kronos_app.jobs import Job
    from kronos_app.services.evaluation_folders import Evaluation
    from kronos_app.services.evaluation_request import EvaluationRequest

EvaluationState = Literal["queued", "running", "finished", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True)
class EvaluationView:
    """An evaluation as it stands.

    Attributes
    ----------
    state
        `interrupted` where its job is gone: resume it.
    progress
        0 to 1.
    done, total
        Forecasts of models.
    remaining
        Seconds, None while unknown.
    verdicts
        By model, one sentence.
    warnings
        Why scores may look better than they are.
    report
        `evaluation_report.compiled`, None as long as there is none.
    """

    id: str
    created: datetime
    request: EvaluationRequest
    origin: str
    series: int
    cutoffs: int
    notes: tuple[Text, ...]
    state: EvaluationState
    job_id: str | None
    progress: float
    done: int
    total: int
    remaining: float | None
    error: Text | None
    verdicts: Mapping[str, Text]
    warnings: tuple[Text, ...]
    report: Mapping[str, Any] | None

    @property
    def active(self) -> bool:
        """Return whether it waits or is under way."""
        return self.state in {"queued", "running"}


@dataclass(frozen=True)
class PastForecast:
    """A forecast of an evaluation beside what came.

    Attributes
    ----------
    history, actual
        Candles by time, before and after the cutoff.
    bands
        By time: median, and low_LEVEL, high_LEVEL of the close for `LEVELS`, in prices.
    """

    symbol: str
    history: pd.DataFrame
    actual: pd.DataFrame
    bands: pd.DataFrame


def view(evaluation: Evaluation, job: Job | None) -> EvaluationView:
    """Return an evaluation with what its job and its report say."""
    report = evaluation.report()
    error = job.error if job is not None and report is None else None
    return EvaluationView(
        id=evaluation.id,
        created=evaluation.created,
        request=evaluation.request,
        origin=evaluation.origin,
        series=evaluation.series,
        cutoffs=evaluation.cutoffs,
        notes=evaluation.notes,
        state=_state(report, job),
        job_id=None if job is None else job.id,
        progress=1.0 if report is not None else job.progress if job is not None else 0.0,
        done=0 if job is None else job.done,
        total=0 if job is None else job.total,
        remaining=None if job is None else job.remaining,
        error=None if error is None else Text.from_dict(error["message"]),
        verdicts={name: Text.from_dict(told) for name, told in (report or {}).get("verdicts", {}).items()},
        warnings=tuple(Text.from_dict(told) for told in (report or {}).get("warnings", [])),
        report=report,
    )


def evaluation_json(seen: EvaluationView, language: str) -> dict[str, Any]:
    """Return an evaluation as the API tells it."""
    return {
        "id": seen.id,
        "created": seen.created.isoformat(),
        "request": seen.request.model_dump(mode="json"),
        "origin": seen.origin,
        "series": seen.series,
        "cutoffs": seen.cutoffs,
        "notes": [note.render(language) for note in seen.notes],
        "state": seen.state,
        "job_id": seen.job_id,
        "progress": seen.progress,
        "remaining_seconds": seen.remaining,
        "error": None if seen.error is None else seen.error.render(language),
        "verdicts": {name: told.render(language) for name, told in seen.verdicts.items()},
        "warnings": [told.render(language) for told in seen.warnings],
    }


def report_json(seen: EvaluationView, language: str) -> dict[str, Any] | None:
    """Return the report as the API tells it: without what only the desk itself has use for."""
    if seen.report is None:
        return None
    told = {name: value for name, value in seen.report.items() if name not in {"files", "pace"}}
    return dict(localised(told, language))


def past_forecast(evaluation: Evaluation, model: str, number: int) -> PastForecast | None:
    """Return the forecast at one of the worst cutoffs of a model, from the scores that were kept."""
    report = evaluation.report() or {}
    places = report.get("worst", {}).get(model, [])
    if not 0 <= number < len(places):
        return None
    place, lookback = places[number], evaluation.request.lookback
    for one in evaluation.read():
        row = int(np.searchsorted(one.times, place["time"], side="right"))
        here = (one.group, one.symbol) == (place["group"], place["symbol"])
        if here and row and int(one.times[row - 1]) == place["time"]:
            history, actual = (
                one.frame(*rows).set_index("timestamp")
                for rows in ((max(0, row - lookback), row), (row, row + evaluation.request.horizon))
            )
            scores = _scores(evaluation, report["files"][model], place)
            bands = _bands(scores, float(history["close"].iloc[-1]), pd.DatetimeIndex(actual.index))
            return PastForecast(one.symbol, history, actual, bands)
    return None


def _state(report: Mapping[str, Any] | None, job: Job | None) -> EvaluationState:
    if report is not None:
        return "finished"
    if job is None or job.status == "succeeded":
        return "interrupted"
    return job.status


def _scores(evaluation: Evaluation, files: list[str], place: Mapping[str, Any]) -> pd.DataFrame:
    filters = [(name, "==", place[name]) for name in ("group", "symbol", "time")]
    parts = (pd.read_parquet(evaluation.scores / name, filters=filters) for name in files)
    return next(part for part in parts if len(part)).sort_values("step")


def _bands(scores: pd.DataFrame, last: float, times: pd.DatetimeIndex) -> pd.DataFrame:
    columns = ["median", *(f"{end}_{level}" for level in LEVELS for end in ("low", "high"))]
    return pd.DataFrame(last * np.exp(scores[columns].to_numpy()), index=times, columns=columns)
