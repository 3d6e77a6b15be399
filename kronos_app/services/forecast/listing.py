"""The list of forecasts, for page, API and CSV."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import Field

from kronos_app.data.export import safe_csv
from kronos_app.services.candles.doubts import Mark, mark_data
from kronos_app.services.core.labels import Tags
from kronos_app.services.core.request import Request
from kronos_app.services.core.view import Moment, View
from kronos_app.services.forecast.request import PRESETS, SETTINGS_OF_PRESETS
from kronos_app.store.records import ForecastInfo

LONGEST_NOTE = 1_000  # characters
MOST_EXPORTED = 10_000  # forecasts in one file


class ForecastItem(View):
    """A line in the list of forecasts."""

    id: str
    candles_id: str
    candles_name: str = Field(description="Name of the candles when the forecast was made.")
    data_set: str | None = Field(description="Name of the candles now; null: they were deleted.")
    model: str
    weights: str | None = Field(description="Digest of the model's weights.")
    replay: bool | None = Field(description="Whether the cutoff was chosen; false: the forecast is of the future.")
    cutoff: Moment
    horizon: int
    lookback: int
    samples: int
    driftless: bool | None = Field(description="Whether this is a zero-drift forecast.")
    seed: int | None
    crps_ratio: float | None = Field(description="CRPS divided by that of the EWMA random walk; null: not graded yet.")
    coverage: float | None = Field(description="Share of actual closes inside the 80 % band; null: not graded yet.")
    tags: tuple[str, ...]
    note: str
    marks: list[Mark] = Field(description="What is special about the data.")
    request: dict[str, Any]
    created: datetime
    damaged: bool = Field(description="Whether a part of the record cannot be read.")

    @classmethod
    def of(cls, info: ForecastInfo) -> Self:
        """Return the line of a saved forecast."""
        weights = info.provenance.get("digest")
        return cls.model_validate({**vars(info), "weights": weights, "marks": mark_data(info.provenance)})

    @property
    def title(self) -> str:
        """Return the name of the candles now, and that of then where it was another."""
        if self.data_set in {None, self.candles_name}:
            return self.candles_name
        return f"{self.data_set} ({self.candles_name})"

    @property
    def preset(self) -> str | None:
        """Return the preset that has the sampling settings, None if none has."""
        settings = {name: self.request.get(name) for name in SETTINGS_OF_PRESETS}
        return next((name for name, preset in PRESETS.items() if preset.settings == settings), None)


class ForecastItems(View):
    """A part of the list of forecasts."""

    total: int = Field(description="Number of all forecasts that match.")
    forecasts: list[ForecastItem]

    def to_csv(self) -> str:
        """Return a table of these forecasts, in which no text can act as a formula in a spreadsheet."""
        return safe_csv(pd.DataFrame([_row(item) for item in self.forecasts], columns=_COLUMNS))


class Annotation(Request):
    """Tags and note of a forecast; what is absent stays as it is."""

    tags: Tags | None = Field(None, description="In place of all tags.")
    note: Annotated[str, Field(max_length=LONGEST_NOTE)] | None = Field(None, description="Free text; empty: no note.")


_SETTINGS = (*SETTINGS_OF_PRESETS, "window")
_COLUMNS = [
    *(name for name in ForecastItem.model_fields if name not in {"request", "samples"}),
    "samples",
    "preset",
    *_SETTINGS,
]


def _row(item: ForecastItem) -> dict[str, Any]:
    settings = {name: item.request.get(name) for name in _SETTINGS}
    joined = {"tags": ", ".join(item.tags), "marks": ", ".join(item.marks)}
    return {**item.to_json(), **settings, **joined, "preset": item.preset}
