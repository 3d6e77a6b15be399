"""The request of a fine-tuning run: candles and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from kronos_app.services.core.request import Request
from kronos_app.services.selection.request import DataChoice


class TuneRequest(Request):
    """A run to be created."""

    data: DataChoice = Field(description="Training candles.")
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of the run as in `config.yaml`, without `data`; `base.model` is a name from the models.",
    )


def flatten_settings(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name.

    >>> flatten_settings({"seed": 1, "window": {"lookback": 90}})
    {'seed': 1, 'window.lookback': 90}
    """
    settings: dict[str, Any] = {}
    for name, value in config.items():
        nested = isinstance(value, Mapping)
        settings |= flatten_settings(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return settings
