"""Forecasts as JSON and CSV, for the API's answers and the pages' downloads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kronos_app.data.candle_frame import FEATURES
from kronos_app.data.export import safe_csv
from kronos_app.i18n import Text
from kronos_app.jsonable import json_ready, localised
from kronos_app.services.candles.views import columns_json, times_json
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.services.forecast.request import DEFAULT_LEVELS
from kronos_app.services.forecast.view import ForecastView

TRANSLATED = ("warnings", "repair")  # parts of the provenance that are fields of their own, with translated messages


def forecast_json(
    view: ForecastView, paths: bool = False, language: str = "en", calibration: Calibration | Text | None = None
) -> dict[str, Any]:
    """Return all fields of a forecast, JSON-ready: no NaN, times in ISO 8601.

    Parameters
    ----------
    paths
        Add every path, `(samples, horizon, 6)`.
    calibration
        Add calibrated quantiles, or the reason why there are none.
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
        "timestamps": times_json(stored.timestamps),
        **{kind: columns_json(frame) for kind, frame in _candles(view).items()},
        "representative_path": view.representative_path,
        "quantiles": {f"{level:g}": columns_json(frame) for level, frame in view.quantiles(levels).items()},
        "probability_up": view.probability_up().to_list(),
        "repairs": stored.repairs,
        "request": stored.request,
        "provenance": {name: value for name, value in stored.provenance.items() if name not in TRANSLATED},
        "warnings": localised(stored.provenance.get("warnings", []), language),
        "data_repair": localised(stored.provenance.get("repair"), language),
        "actual": _actual(view),
        "comparison": view.comparison.to_json(language) if view.comparison else None,
    }
    if paths:
        result["paths"] = stored.paths
    if isinstance(calibration, Text):
        result["recalibration"] = {"factor": None, "message": calibration.render(language)}
    elif calibration is not None:
        quantiles = view.calibrated(levels, calibration.factor)
        result["recalibration"] = {
            **calibration.to_json(language),
            "quantiles": {f"{level:g}": columns_json(frame) for level, frame in quantiles.items()},
        }
    return dict(json_ready(result))


def forecast_csv(view: ForecastView, calibration: Calibration | None = None) -> str:
    """Return a forecast as CSV with one row per step: forecast candles by kind, quantiles, actuals.

    Columns whose names end in `_recalibrated` are calibrated quantiles of prices. Texts cannot act as formulas in a
    spreadsheet.
    """
    levels = _levels(view)
    parts = _candles(view)
    parts |= {f"q{level:g}": frame for level, frame in view.quantiles(levels).items()}
    if calibration is not None:
        corrected = view.calibrated(levels, calibration.factor)
        parts |= {f"q{level:g}_recalibrated": frame for level, frame in corrected.items()}
    if view.actual is not None:
        parts["actual"] = view.actual.reindex(parts["mean"].index)
    wide = pd.concat([frame.add_suffix(f"_{name}") for name, frame in parts.items()], axis=1)
    return safe_csv(wide.reset_index())


def _levels(view: ForecastView) -> Sequence[float]:
    levels: Sequence[float] = view.stored.request.get("levels", DEFAULT_LEVELS)
    return levels


def _candles(view: ForecastView) -> dict[str, pd.DataFrame]:
    """Return the candles that stand for the forecast, by kind."""
    return {"mean": view.candles("mean"), "median": view.candles("median"),
            "representative": view.candles("representative")}  # fmt: skip


def _actual(view: ForecastView) -> dict[str, Any] | None:
    if view.actual is None:
        return None
    return {"timestamps": times_json(pd.DatetimeIndex(view.actual.index)), **columns_json(view.actual)}
