"""The candles that a model can hold at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

if TYPE_CHECKING:
    from engine.registry import ModelSpec


def check_window(lookback: int, horizon: int, spec: ModelSpec) -> None:
    """Refuse more candles of history and horizon than a model can hold.

    Raises
    ------
    InvalidInput
        They are more.
    """
    if lookback + horizon > spec.max_context:
        raise InvalidInput(
            "window_too_long",
            text(
                "lookback and horizon: {lookback} + {horizon} candles are more than the {context} that {model} can "
                "hold.",
                lookback=lookback,
                horizon=horizon,
                context=spec.max_context,
                model=spec.name,
            ),
            text("Shorten one of them, or leave this model out."),
        )
