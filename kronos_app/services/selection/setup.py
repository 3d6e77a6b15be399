"""The setup of forecasts: one set of fields, limits and defaults for Forecast, Evaluate, Backtest and Live.

A field that is None takes what the model recommends, see `fill_in`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self, TypeVar

from pydantic import Field

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text
from kronos_app.services.core.request import Request
from kronos_app.services.models.limits import DEFAULT_MODEL

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec
    from engine.usage import Use

BANDS: Use = "bands"
RECOMMENDED = ("temperature", "top_p", "samples", "driftless")
MOST_SAMPLES = 500
MAX_SEED = 2**53 - 1  # the largest whole number that every JSON reader keeps
Window = Literal["fit", "exact", "strided"]


class ForecastSetup(Request):
    """How the forecasts of a model are made: what any number of models and cutoffs can share."""

    lookback: int = Field(400, ge=2, le=1_000_000, description="Candles of history that the model sees.")
    horizon: int = Field(24, ge=1, le=1_000_000, description="Candles to forecast.")
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
        None, ge=1, le=MOST_SAMPLES, description="Paths of each forecast; absent: as the model recommends for bands."
    )
    driftless: bool | None = Field(
        None,
        description="Zero-drift forecast: the median of all paths is fixed at the last close; absent: as the model "
        "recommends.",
    )

    @classmethod
    def of(cls, request: ForecastSetup) -> Self:
        """Return the part of a request that is its setup."""
        return cls.model_validate(request.model_dump(include=set(cls.model_fields)))


class Setup(ForecastSetup):
    """The whole setup of one forecast."""

    model: str = Field(DEFAULT_MODEL, min_length=1, max_length=200, description="Name of a model from the registry.")
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


AnySetup = TypeVar("AnySetup", bound=ForecastSetup)


def fill_in(setup: AnySetup, spec: ModelSpec) -> AnySetup:
    """Return `setup` with the recommended values for bands where none is given, and the exact name of the model.

    The name of a registered model may refer to another version later; the record names the version of now.

    Raises InvalidInput: a zero-drift forecast of a single path.
    """
    advice = spec.sampling[BANDS]
    values = {name: getattr(advice, name) for name in RECOMMENDED if getattr(setup, name) is None}
    if isinstance(setup, Setup):
        values["model"] = spec.name
    complete = setup.model_copy(update=values)
    if complete.samples == 1 and setup.driftless:
        raise InvalidInput(
            "driftless_path",
            text("driftless: a zero-drift forecast needs at least 2 samples."),
            text("Set samples to 2 or more, or switch driftless off."),
        )
    return complete.model_copy(update={"driftless": False}) if complete.samples == 1 else complete
