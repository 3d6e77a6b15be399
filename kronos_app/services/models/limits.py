"""The default model, the longest horizon of a model, and the shortest histories."""

from __future__ import annotations

from kronos_app.errors import InvalidInput
from kronos_app.i18n import text

DEFAULT_MODEL = "kronos-nano"
SHORTEST_HISTORY = 2  # candles that a forecast needs
SENSIBLE_HISTORY = 64  # candles below which a forecast carries a warning, and the form wants a confirmation


def longest_horizon(context: int, window: str) -> int:
    """Return the longest horizon of a model with this context: in the window `fit` it leaves room for a history."""
    return context - SHORTEST_HISTORY if window == "fit" else context


def check_horizon(horizon: int, context: int, window: str, model: str) -> int:
    """Return how many history candles the context has room for.

    Raises InvalidInput: the horizon is too long; names the longest.
    """
    longest = longest_horizon(context, window)
    if horizon <= longest:
        return context - horizon if window == "fit" else context
    values = {"horizon": horizon, "context": context, "model": model}
    raise InvalidInput(
        "horizon_too_long",
        text("horizon: {horizon} candles leave no room for history in the {context} that {model} can hold.", **values)
        if window == "fit"
        else text("horizon: {horizon} candles are more than the {context} that {model} can hold.", **values),
        text("Set horizon to {largest} or less.", largest=longest),
    )
