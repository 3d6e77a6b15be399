"""The request of a forecast: the settings with their limits, and presets of sampling settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, field_validator

from kronos_app.i18n import Text, text
from kronos_app.services.selection.setup import Setup, Window

DEFAULT_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)

SETTINGS_OF_PRESETS = ("temperature", "top_p", "top_k")
Level = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class ForecastSettings(Setup):
    """The settings of a forecast without its candles; the API documents the descriptions."""

    cutoff: datetime | None = Field(None, description="Time of the last history candle; absent: the last candle.")
    levels: tuple[Level, ...] = Field(
        DEFAULT_LEVELS, min_length=1, max_length=25, description="Quantile levels to report."
    )
    recalibrate: bool = Field(
        False, description="Add calibrated quantiles, scaled by the errors of earlier forecasts; paths stay the same."
    )

    @field_validator("levels")
    @classmethod
    def _ascending(cls, levels: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(sorted(set(levels)))


def complete_settings(saved: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return saved settings with every field of this version but the cutoff; unknown ones are left out.

    Raises InvalidInput: a field has a value that this version does not know.
    """
    return ForecastSettings.read(saved, place).model_dump(mode="json", exclude={"cutoff"})


class ForecastRequest(ForecastSettings):
    """A forecast of saved candles."""

    candles_id: str = Field(min_length=1, max_length=64, description="Id of a saved candle set.")


@dataclass(frozen=True)
class Choice:
    """A value of a setting for people."""

    label: Text
    description: Text


@dataclass(frozen=True)
class Preset(Choice):
    """Sampling settings with a name."""

    temperature: float
    top_p: float
    top_k: int = 0

    @property
    def settings(self) -> dict[str, float]:
        """Return the sampling settings by name."""
        return {name: getattr(self, name) for name in SETTINGS_OF_PRESETS}


PRESETS: dict[str, Preset] = {
    "conservative": Preset(
        text("Conservative"),
        text("Samples the likeliest moves only: narrow bands that actual prices leave more often."),
        temperature=0.6,
        top_p=0.9,
    ),
    "balanced": Preset(
        text("Balanced"),
        text("Samples as the model was trained: coverage as close to nominal as the model can give."),
        temperature=1.0,
        top_p=1.0,
    ),
    "exploratory": Preset(
        text("Exploratory"),
        text("Samples unlikely moves more often: wide bands, to show possible risks."),
        temperature=1.3,
        top_p=1.0,
    ),
}

WINDOWS: dict[Window, Choice] = {
    "fit": Choice(text("Fit"), text("The model holds {context} candles, lookback and horizon together.")),
    "exact": Choice(
        text("Exact"),
        text("The model sees the last {context} candles: each new one replaces the oldest. Slowest."),
    ),
    "strided": Choice(
        text("Strided"),
        text("The model sees at most the last {context} candles: many leave at once. A fast approximation of Exact."),
    ),
}
