"""The settings that suit a model, and who says so; what a request leaves open is filled in from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text
from kronos_app.services.forecast.request import ForecastSettings

if TYPE_CHECKING:
    from engine.registry import ModelSpec
    from engine.usage import Use

Settings = TypeVar("Settings", bound=ForecastSettings)
BANDS: Use = "bands"
RECOMMENDED = ("temperature", "top_p", "samples", "driftless")

LABELS: dict[Use, Text] = {"bands": text("For bands"), "point": text("For the median")}


def settled(request: Settings, spec: ModelSpec) -> Settings:
    """Return `request` for exactly the model of `spec`, with what it recommends for bands where nothing was said.

    A name alone may stand for another version tomorrow: the record names the one there is now.

    Raises
    ------
    InvalidInput
        The drift is to be taken out of one path alone.
    """
    advice = spec.sampling[BANDS]
    left = {name: getattr(advice, name) for name in RECOMMENDED if getattr(request, name) is None}
    made = request.model_copy(update={"model": spec.name, **left})
    if made.samples == 1 and request.driftless:
        raise InvalidInput(
            "driftless_path",
            text("driftless: a single path does not tell drift from chance."),
            text("Draw 2 samples or more, or leave the drift in."),
        )
    return made.model_copy(update={"driftless": False}) if made.samples == 1 else made


def described(spec: ModelSpec, use: Use) -> Text:
    """Return where a recommendation comes from, in a sentence."""
    if spec.sampling[use].origin == "model":
        return text("Recommended for {model} by those who trained it.", model=spec.name)
    if spec.sampling[use].origin == "published":
        return text("As the authors of {model} draw in their own backtest.", model=spec.name)
    return text("What suits most models: nobody has measured what suits {model}.", model=spec.name)
