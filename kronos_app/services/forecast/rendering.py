"""Forecasts as JSON and CSV, for the API's answers and the pages' downloads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from pydantic import Field, PlainSerializer, SerializationInfo

from kronos_app.data.candle_frame import FEATURES
from kronos_app.data.export import safe_csv
from kronos_app.i18n import Text
from kronos_app.jsonable import localised
from kronos_app.services.candles.views import times_json
from kronos_app.services.core.view import Message, Moment, View
from kronos_app.services.forecast.calibration import Calibration
from kronos_app.services.forecast.request import DEFAULT_LEVELS
from kronos_app.services.forecast.view import ForecastView
from kronos_app.services.ledger.comparison import Comparison

SAVED = ("id", "created", "candles_id", "candles_name", "cutoff", "last_close", "timestamps", "repairs", "request")
TRANSLATED = ("warnings", "repair")  # parts of the provenance that are fields of their own, with translated messages

Values = list[float | None]


def _list_columns(frame: pd.DataFrame) -> dict[str, Values]:
    return {str(name): frame[name].to_numpy(np.float64).tolist() for name in frame}


def _list_levels(frames: dict[float, pd.DataFrame]) -> dict[str, dict[str, Values]]:
    return {f"{level:g}": _list_columns(frame) for level, frame in frames.items()}


def _list_actual(frame: pd.DataFrame | None) -> dict[str, Any] | None:
    return None if frame is None else {"timestamps": times_json(pd.DatetimeIndex(frame.index)), **_list_columns(frame)}


def _translate(stored: Any, info: SerializationInfo) -> Any:
    return localised(stored, (info.context or {}).get("language", "en"))


Columns = Annotated[pd.DataFrame, PlainSerializer(_list_columns)]
Levels = Annotated[dict[float, pd.DataFrame], PlainSerializer(_list_levels)]
Actual = Annotated[pd.DataFrame | None, PlainSerializer(_list_actual)]
Times = Annotated[pd.DatetimeIndex, PlainSerializer(times_json)]
Paths = Annotated[np.ndarray, PlainSerializer(np.ndarray.tolist, return_type=list[list[Values]])]
StoredMessages = Annotated[Any, PlainSerializer(_translate)]


class Recalibration(Calibration):
    """A calibration with the quantiles of prices that follow from it."""

    quantiles: Levels


class NoRecalibration(View):
    """The reason why there are no calibrated quantiles."""

    factor: None = None
    message: Message


class ForecastResult(View):
    """All of a forecast; what was not requested is absent."""

    id: str
    created: datetime
    candles_id: str
    candles_name: str
    cutoff: Moment
    last_close: float
    columns: tuple[str, ...] = FEATURES
    timestamps: Times
    mean: Columns
    median: Columns
    representative: Columns
    representative_path: int = Field(description="Number of the representative path; the first is 1.")
    quantiles: Levels
    probability_up: list[float] = Field(description="Share of paths above the last close, by step.")
    repairs: int = Field(description="Number of sampled candles that were corrected.")
    request: dict[str, Any]
    provenance: dict[str, Any]
    warnings: StoredMessages
    data_repair: StoredMessages
    actual: Actual = Field(description="Actual candles known so far.")
    comparison: Comparison | None
    paths: Paths | None = Field(None, description="Every path: samples, steps, columns.")
    recalibration: Recalibration | NoRecalibration | None = None
    cached: bool | None = Field(None, description="true where an equal forecast existed already.")

    @classmethod
    def of(
        cls, view: ForecastView, *, paths: bool = False, calibration: Calibration | Text | None = None, **more: Any
    ) -> Self:
        """Return the result of a forecast.

        Parameters
        ----------
        paths
            Add every path, `(samples, horizon, 6)`.
        calibration
            Add calibrated quantiles, or the reason why there are none.
        more
            Further fields.
        """
        stored, levels = view.stored, _levels(view)
        if paths:
            more["paths"] = stored.paths
        if isinstance(calibration, Text):
            more["recalibration"] = NoRecalibration(message=calibration)
        elif calibration is not None:
            quantiles = view.calibrated(levels, calibration.factor)
            more["recalibration"] = Recalibration(**vars(calibration), quantiles=quantiles)
        return cls(
            **{name: getattr(stored, name) for name in SAVED},
            **_candles(view),
            columns=FEATURES,
            representative_path=view.representative_path,
            quantiles=view.quantiles(levels),
            probability_up=view.probability_up().to_list(),
            provenance={name: value for name, value in stored.provenance.items() if name not in TRANSLATED},
            warnings=stored.provenance.get("warnings", []),
            data_repair=stored.provenance.get("repair"),
            actual=view.actual,
            comparison=view.comparison,
            **more,
        )

    def to_json(self, language: str = "en") -> dict[str, Any]:
        """Return the JSON form, without the fields that were not requested."""
        return {name: value for name, value in super().to_json(language).items() if name in self.model_fields_set}


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
