"""What somebody asks for who wants a model fine-tuned: which candles, and how."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kronos_app.services.core.request import Request
from kronos_app.services.selection.request import DataChoice


class TuneRequest(Request):
    """A run to be made."""

    data: DataChoice = Field(description="Which candles to learn from.")
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="Settings of the run as in `config.yaml`, without `data`; `base.model` is a name from the models.",
    )
