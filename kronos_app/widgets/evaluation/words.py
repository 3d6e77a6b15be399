"""Words of evaluations in the session's language."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_app import state
from kronos_app.charts.evaluation import EvaluationWords
from kronos_app.i18n import Text
from kronos_app.state import gettext as _


def forecaster_names(forecasters: Iterable[str]) -> dict[str, str]:
    """Return the names of forecasters as readers know them."""
    from training.evaluation.verdicts import LABELS, label

    names = {name: state.say(Text.from_dict(label(name).to_dict())) for name in forecasters}
    return {name: shown[:1].upper() + shown[1:] if name in LABELS else name for name, shown in names.items()}


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
