"""The request of a forecast: the settings with their limits, and presets of sampling settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from kronos_app.i18n import Text, text
from kronos_app.services.core.request import Request
from kronos_app.services.models.limits import DEFAULT_MODEL

DEFAULT_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MAX_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps

SETTINGS_OF_PRESETS = ("temperature", "top_p", "top_k")

Window = Literal["fit", "exact", "strided"]
Level = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class ForecastSettings(Request):
    """The settings of a forecast without its candles; the API documents the descriptions."""

    model: str = Field(DEFAULT_MODEL, min_length=1, max_length=200, description="Name of a model from the registry.")
    lookback: int = Field(400, ge=2, le=1_000_000, description="Candles of history; fewer where they do not fit.")
    horizon: int = Field(24, ge=1, le=1_000_000, description="Candles to forecast.")
    cutoff: datetime | None = Field(None, description="Time of the last history candle; absent: the last candle.")
    temperature: float | None = Field(
        None,
        ge=0.1,
        le=2.0,
        allow_inf_nan=False,
        description="Below 1 narrows the paths, above 1 widens them; absent: as the model recommends.",
    )
    top_k: int = Field(0, ge=0, le=1_000_000, description="Sample from the k likeliest tokens only; 0: all.")
    top_p: float | None = Field(
        None,
        ge=0.1,
        le=1.0,
        allow_inf_nan=False,
        description="Sample from the likeliest tokens up to probability p; absent: as the model recommends.",
    )
    samples: int | None = Field(
        None, ge=1, le=200, description="Paths to sample; absent: as the model recommends for bands."
    )
    driftless: bool | None = Field(
        None,
        description="Zero-drift forecast: the median of all paths is fixed at the last close; absent: as the model "
        "recommends.",
    )
    window: Window = Field(
        "fit",
        description="If lookback and horizon exceed the context. fit: cut the history. exact: slide candle by "
        "candle, slow. strided: slide by 64 candles at once, faster and approximate.",
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_SEED,
        description="The same seed gives the same paths; absent: a random seed, which the answer names.",
    )
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
