"""Words of evaluations in the session's language."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_app.charts.evaluation import EvaluationWords
from kronos_app.state import gettext as _
from kronos_app.widgets.models.names import forecaster_label


def forecaster_names(forecasters: Iterable[str]) -> dict[str, str]:
    """Return the names of forecasters as readers know them."""
    return {name: forecaster_label(name) for name in forecasters}


def chart_words() -> EvaluationWords:
    """Return the words of the figures."""
    return EvaluationWords(
        step=_("Step"),
        crps=_("CRPS"),
        place=_("Quantile of the actual close in the forecast"),
        share=_("Share"),
        ideal=_("Ideal"),
        nominal=_("Nominal coverage"),
        observed=_("Observed coverage"),
        probability=_("Forecast P(up)"),
        frequency=_("Observed frequency of a rise"),
        until=_("Cutoffs until"),
    )
