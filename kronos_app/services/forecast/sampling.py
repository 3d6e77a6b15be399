"""Recommended sampling settings of a model, and who recommends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text
from kronos_app.services.forecast.request import PRESETS, ForecastSettings

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec
    from engine.usage import Use

Settings = TypeVar("Settings", bound=ForecastSettings)
BANDS: Use = "bands"
RECOMMENDED = ("temperature", "top_p", "samples", "driftless")

LABELS: dict[Use, Text] = {"bands": text("For bands"), "point": text("For the median")}
ORIGINS: dict[str, Text] = {
    "model": text("Recommended by the developers of {model}."),
    "published": text("As in the published backtest of {model}."),
    "general": text("General defaults: nothing was measured for {model}."),
}


def fill_in(request: Settings, spec: ModelSpec) -> Settings:
    """Return `request` with the recommended values for bands where none is given, and the exact name of the model.

    The name of a registered model may refer to another version later; the record names the version of now.

    Raises InvalidInput: a zero-drift forecast of a single path.
    """
    advice = spec.sampling[BANDS]
    missing = {name: getattr(advice, name) for name in RECOMMENDED if getattr(request, name) is None}
    complete = request.model_copy(update={"model": spec.name, **missing})
    if complete.samples == 1 and request.driftless:
        raise InvalidInput(
            "driftless_path",
            text("driftless: a zero-drift forecast needs at least 2 samples."),
            text("Set samples to 2 or more, or switch driftless off."),
        )
    return complete.model_copy(update={"driftless": False}) if complete.samples == 1 else complete


def preset_settings(preset: str, spec: ModelSpec) -> dict[str, Any]:
    """Return the sampling settings of a preset: a use that the model recommends settings for, or a named preset."""
    for use, advice in spec.sampling.items():
        if use == preset:
            return {name: getattr(advice, name) for name in RECOMMENDED} | {"top_k": 0}
    return dict(PRESETS[preset].settings)


def describe_origin(spec: ModelSpec, use: Use) -> Text:
    """Return who recommends the settings."""
    return Text(ORIGINS[spec.sampling[use].origin].msgid, {"model": spec.name})
