"""What a model can be used for: its context, and its training period."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text

if TYPE_CHECKING:
    from engine.loading.registry import ModelSpec


SHORTEST_LOOKBACK = 16  # candles of history that baselines need


def check_window(lookback: int, horizon: int, spec: ModelSpec) -> None:
    """Check that history and horizon fit into the context of a model.

    Raises InvalidInput (they do not fit, or the history is shorter than baselines need).
    """
    if lookback < SHORTEST_LOOKBACK:
        raise InvalidInput(
            "lookback_too_short",
            text("lookback: {lookback} candles are fewer than {least}.", lookback=lookback, least=SHORTEST_LOOKBACK),
            text("Set lookback to {least} or more.", least=SHORTEST_LOOKBACK),
        )
    if lookback + horizon > spec.max_context:
        raise InvalidInput(
            "window_too_long",
            text(
                "lookback + horizon: {lookback} + {horizon} candles exceed the context of {model}, {context} candles.",
                lookback=lookback,
                horizon=horizon,
                context=spec.max_context,
                model=spec.name,
            ),
            text("Shorten one of them, or leave this model out."),
        )


def unknown_training_end(model: str) -> Text:
    """Return the warning for a market whose part in the training is unknown."""
    return text("The end of the training data of {model} in this market is unknown.", model=model)
