"""The lookbacks and horizons that a model and a data set allow, and warnings about the history of a forecast."""

from __future__ import annotations

from dataclasses import dataclass

from kronos_app.data.draft import Finding
from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text
from kronos_app.services.candles.doubts import HISTORY_CUT, SHORT_HISTORY
from kronos_app.services.forecast.plan import Plan
from kronos_app.services.models.limits import SENSIBLE_HISTORY, SHORTEST_HISTORY, longest_horizon
from kronos_app.services.selection.setup import Window


@dataclass(frozen=True)
class Limits:
    """The longest lookback and horizon, each beside the present value of the other, and why they are the longest."""

    lookback: int
    horizon: int
    message: Text

    def check(self, lookback: int, horizon: int) -> None:
        """Raise InvalidInput if one of them is outside its range; nothing is shortened."""
        ranges = {"lookback": (lookback, SHORTEST_HISTORY, self.lookback), "horizon": (horizon, 1, self.horizon)}
        for field, (value, least, most) in ranges.items():
            if not least <= value <= most:
                values = {"field": field, "value": value, "least": least, "most": most}
                message = text("{field}: {value} candles are outside the range {least}–{most}.", **values)
                raise InvalidInput("outside_limits", message, self.message)


def find_limits(lookback: int, horizon: int, window: Window, *, model: str, context: int, rows: int) -> Limits:
    """Return the limits of lookback and horizon.

    Parameters
    ----------
    lookback, horizon
        The present values. In the window `fit` each limits the other, unless it is impossible itself.
    context
        Candles that the model holds.
    rows
        Candles of the data set up to the cutoff.
    """
    fits = window == "fit"
    longest = longest_horizon(context, window)
    room = context - (horizon if 1 <= horizon <= longest else 1) if fits else context
    most = max(min(room, rows), SHORTEST_HISTORY)
    if fits and SHORTEST_HISTORY <= lookback <= most:
        longest = context - lookback
    values = {
        "least": SHORTEST_HISTORY, "most": most, "longest": longest, "model": model, "context": context, "rows": rows
    }  # fmt: skip
    if rows < room:
        message = text(
            "Lookback {least}–{most}: the data set has {rows} candles up to the cutoff. "
            "Horizon 1–{longest}: {model} holds {context} candles.",
            **values,
        )
    elif fits:
        message = text(
            "Lookback {least}–{most}, horizon 1–{longest}: {model} holds {context} candles, both together.", **values
        )
    else:
        message = text("Lookback {least}–{most}, horizon 1–{longest}: {model} holds {context} candles.", **values)
    return Limits(most, longest, message)


def history_warnings(plan: Plan) -> list[Finding]:
    """Return warnings about a history that is shorter than requested, or too short to be reliable."""
    rows, request = len(plan.history), plan.request
    messages = {}
    if rows < request.lookback:
        messages[HISTORY_CUT] = text(
            "Lookback {rows} instead of {lookback}: {model} has no room for more beside a horizon of {horizon}.",
            rows=rows, lookback=request.lookback, model=request.model, horizon=request.horizon,
        )  # fmt: skip
    if rows < SENSIBLE_HISTORY:
        messages[SHORT_HISTORY] = text(
            "Lookback {rows}: from fewer than {least} candles the bands are unreliable.",
            rows=rows, least=SENSIBLE_HISTORY,
        )  # fmt: skip
    return [Finding(code, "warning", message) for code, message in messages.items()]
