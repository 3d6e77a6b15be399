"""Recommended sampling settings of a model, and who recommends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kronos_app.i18n import Text, text
from kronos_app.services.forecast.request import PRESETS
from kronos_app.services.selection.setup import RECOMMENDED

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec
    from engine.usage import Use

LABELS: dict[Use, Text] = {"bands": text("For bands"), "point": text("For the median")}
ORIGINS: dict[str, Text] = {
    "model": text("Recommended by the developers of {model}."),
    "published": text("As in the published backtest of {model}."),
    "general": text("General defaults: nothing was measured for {model}."),
}


def preset_settings(preset: str, spec: ModelSpec) -> dict[str, Any]:
    """Return the sampling settings of a preset: a use that the model recommends settings for, or a named preset."""
    for use, advice in spec.sampling.items():
        if use == preset:
            return {name: getattr(advice, name) for name in RECOMMENDED} | {"top_k": 0}
    return dict(PRESETS[preset].settings)


def describe_origin(spec: ModelSpec, use: Use) -> Text:
    """Return who recommends the settings."""
    return Text(ORIGINS[spec.sampling[use].origin].msgid, {"model": spec.name})
