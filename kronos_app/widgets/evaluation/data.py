"""Which candles to evaluate on."""

from __future__ import annotations

from kronos_app import state
from kronos_app.services.evaluation.service import EvaluationData
from kronos_app.state import gettext as _
from kronos_app.widgets.selection import candles as work_data

KEYS = work_data.Keys(
    "evaluate",
    state.EVALUATE_SOURCE,
    state.EVALUATE_SETS,
    state.EVALUATE_SERIES,
    state.EVALUATE_WATCHLIST,
    state.EVALUATE_FOLDER,
    state.EVALUATE_MARKET,
)


def draw() -> EvaluationData | None:
    """Draw the choice, and return it; None while nothing is chosen."""
    fields = work_data.draw(_("Candles to forecast"), KEYS)
    return None if fields is None else EvaluationData.model_validate(fields)
