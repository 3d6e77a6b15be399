"""Candle sets, jobs and forecasts as JSON and CSV, for the API's answers and the pages' downloads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kronos_app.data.candle_frame import FEATURES
from kronos_app.data.export import safe_csv
from kronos_app.i18n import Text
from kronos_app.services.forecast.recalibration import Recalibration
from kronos_app.services.forecast.request import DEFAULT_LEVELS
from kronos_app.services.forecast.view import ForecastView
from kronos_app.store.records import CandleSet, CandleSetInfo, ForecastInfo, Job

TOLD_APART = ("warnings", "repair")  # of the provenance: their messages are translated


def forecast_info_json(info: ForecastInfo) -> dict[str, Any]:
    """Return a line of the list of forecasts as the API has it."""
    names = ("id", "candles_id", "candles_name", "model", "horizon", "samples", "lookback", "request", "damaged")
    times = {"created": info.created.isoformat(), "cutoff": info.cutoff.isoformat()}
    return {name: getattr(info, name) for name in names} | times


def candle_info_json(info: CandleSetInfo) -> dict[str, Any]:
    """Return a line of the list of candle sets as the API has it."""
    times = {name: getattr(info, name).isoformat() for name in ("created", "first", "last")}
    facts = {name: getattr(info, name) for name in ("id", "name", "source", "rows")}
    return {**facts, **times, "interval_seconds": info.interval.total_seconds()}


def to_json(
    view: ForecastView, paths: bool = False, language: str = "en", recalibration: Recalibration | Text | None = None
) -> dict[str, Any]:
    """Return a forecast with all that is known about it, JSON-ready: no NaN, times in ISO 8601.

    Parameters
    ----------
    paths
        Add every path, `(samples, horizon, 6)`.
    language
        Of the verdict.
    recalibration
        Add quantiles corrected by it, or why there is none.
    """
    stored = view.stored
    levels = _levels(view)
    result = {
        "id": stored.id,
        "created": stored.created.isoformat(),
        "candles_id": stored.candles_id,
        "candles_name": stored.candles_name,
        "cutoff": stored.cutoff.isoformat(),
        "last_close": stored.last_close,
        "columns": list(FEATURES),
        "timestamps": _times(stored.timestamps),
        "mean": _columns(view.mean()),
        "median": _columns(view.median()),
        "quantiles": {f"{level:g}": _columns(frame) for level, frame in view.quantiles(levels).items()},
        "probability_up": view.probability_up().to_list(),
        "repairs": stored.repairs,
        "request": stored.request,
        "provenance": {name: value for name, value in stored.provenance.items() if name not in TOLD_APART},
        "warnings": localised(stored.provenance.get("warnings", []), language),
        "data_repair": localised(stored.provenance.get("repair"), language),
        "actual": _actual(view),
        "comparison": view.comparison.to_dict(language) if view.comparison else None,
    }
    if paths:
        result["paths"] = stored.paths
    if recalibration is not None:
        result["recalibration"] = _recalibrated(view, recalibration, language)
    return dict(json_ready(result))


def to_csv(view: ForecastView, recalibration: Recalibration | None = None) -> str:
    """Return a forecast as CSV, a row a step: mean, median and quantiles of each feature, then what came.

    Columns whose names end in `_recalibrated` are the quantiles of prices corrected by `recalibration`. Texts cannot
    act as formulas in a spreadsheet.
    """
    levels = _levels(view)
    parts = {"mean": view.mean(), "median": view.median()}
    parts |= {f"q{level:g}": frame for level, frame in view.quantiles(levels).items()}
    if recalibration is not None:
        corrected = view.recalibrated(levels, recalibration.factor)
        parts |= {f"q{level:g}_recalibrated": frame for level, frame in corrected.items()}
    if view.actual is not None:
        parts["actual"] = view.actual.reindex(view.mean().index)
    wide = pd.concat([frame.add_suffix(f"_{name}") for name, frame in parts.items()], axis=1)
    return safe_csv(wide.reset_index())


def candles_json(saved: CandleSet, language: str = "en", rows: bool = False) -> dict[str, Any]:
    """Return a candle set with its quality report; with `rows` its candles too, by column."""
    candles = saved.candles
    result = {
        "id": saved.id,
        "name": candles.name,
        "source": candles.source,
        "timezone": candles.timezone,
        "calendar": candles.about.calendar,
        "created": saved.created.isoformat(),
        "rows": len(candles),
        "first": candles.timestamps[0].isoformat(),
        "last": candles.timestamps[-1].isoformat(),
        "interval_seconds": candles.interval.total_seconds(),
        "columns": candles.features,
        "quality": localised(saved.quality, language),
        "repair": localised(saved.repair, language),
    }
    if rows:
        result["candles"] = {"timestamp": _times(candles.timestamps), **_columns(candles.frame[candles.features])}
    return dict(json_ready(result))


def job_json(job: Job, language: str = "en") -> dict[str, Any]:
    """Return a job as the API tells it."""
    return {
        "job_id": job.id,
        "status": job.status,
        "progress": job.progress,
        "done": job.done,
        "total": job.total,
        "remaining_seconds": job.remaining,
        "forecast_id": job.result_id if job.kind == "forecast" else None,
        # What the page fetched to be looked at first may not be a candle set.
        "candles_id": job.result_id if job.kind in {"fetch", "query"} and not job.request["review"] else None,
        "candles_ids": job.result_id.split(",") if job.kind == "upload" and job.result_id else None,
        "error": localised(job.error, language),
        "created": job.created.isoformat(),
        "started": job.started.isoformat() if job.started else None,
        "finished": job.finished.isoformat() if job.finished else None,
    }


def localised(value: Any, language: str) -> Any:
    """Return `value` with every stored `Text` in it rendered in `language`."""
    if isinstance(value, dict):
        if value.keys() == {"msgid", "params"}:
            return Text.from_dict(value).render(language)
        return {name: localised(item, language) for name, item in value.items()}
    return [localised(item, language) for item in value] if isinstance(value, list | tuple) else value


def json_ready(value: Any) -> Any:
    """Return `value` with arrays as lists and every number that JSON does not know as None."""
    if isinstance(value, dict):
        return {name: json_ready(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _levels(view: ForecastView) -> Sequence[float]:
    levels: Sequence[float] = view.stored.request.get("levels", DEFAULT_LEVELS)
    return levels


def _recalibrated(view: ForecastView, found: Recalibration | Text, language: str) -> dict[str, Any]:
    if isinstance(found, Text):
        return {"factor": None, "message": found.render(language)}
    quantiles = view.recalibrated(_levels(view), found.factor)
    return {
        **found.to_dict(language),
        "quantiles": {f"{level:g}": _columns(frame) for level, frame in quantiles.items()},
    }


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].to_numpy(np.float64) for name in frame}


def _times(times: pd.DatetimeIndex) -> list[str]:
    return [time.isoformat() for time in times]


def _actual(view: ForecastView) -> dict[str, Any] | None:
    if view.actual is None:
        return None
    return {"timestamps": _times(pd.DatetimeIndex(view.actual.index)), **_columns(view.actual)}
