"""Evaluations as pages and API show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kronos_app.i18n import Text
from kronos_app.jsonable import localised
from kronos_app.services.evaluation.report import LEVELS
from kronos_app.services.evaluation.request import EvaluationRequest
from kronos_app.services.runs.views import WorkState, WorkView, standing, work_json

if TYPE_CHECKING:
    from kronos_app.jobs import Job
    from kronos_app.services.evaluation.folders import Evaluation

EvaluationState = WorkState


@dataclass(frozen=True)
class EvaluationView(WorkView[EvaluationRequest]):
    """An evaluation as it stands.

    Attributes
    ----------
    done, total
        Forecasts of models.
    verdicts
        By model, one sentence.
    report
        `evaluation_report.compiled`, None as long as there is none.
    """

    series: int
    cutoffs: int
    verdicts: Mapping[str, Text]


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
    fields = standing(evaluation, job)
    verdicts = (fields["report"] or {}).get("verdicts", {})
    return EvaluationView(
        **fields,
        series=evaluation.series,
        cutoffs=evaluation.cutoffs,
        verdicts={name: Text.from_dict(told) for name, told in verdicts.items()},
    )


def evaluation_json(seen: EvaluationView, language: str) -> dict[str, Any]:
    """Return an evaluation as the API tells it."""
    return {
        **work_json(seen, language),
        "series": seen.series,
        "cutoffs": seen.cutoffs,
        "verdicts": {name: told.render(language) for name, told in seen.verdicts.items()},
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


def _scores(evaluation: Evaluation, files: list[str], place: Mapping[str, Any]) -> pd.DataFrame:
    filters = [(name, "==", place[name]) for name in ("group", "symbol", "time")]
    parts = (pd.read_parquet(evaluation.scores / name, filters=filters) for name in files)
    return next(part for part in parts if len(part)).sort_values("step")


def _bands(scores: pd.DataFrame, last: float, times: pd.DatetimeIndex) -> pd.DataFrame:
    columns = ["median", *(f"{end}_{level}" for level in LEVELS for end in ("low", "high"))]
    return pd.DataFrame(last * np.exp(scores[columns].to_numpy()), index=times, columns=columns)
