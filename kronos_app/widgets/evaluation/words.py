"""Words of evaluation that several widgets use, in the session's language."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_app import state
from kronos_app.charts.evaluation import EvaluationWords
from kronos_app.i18n import Text
from kronos_app.state import gettext as _


def names(forecasters: Iterable[str]) -> dict[str, str]:
    """Return forecasters with what readers call them."""
    from training.evaluation.verdicts import LABELS, label

    told = {name: state.say(Text.from_dict(label(name).to_dict())) for name in forecasters}
    return {name: shown[:1].upper() + shown[1:] if name in LABELS else name for name, shown in told.items()}


def chart_words() -> EvaluationWords:
    """Return the words of the figures."""
    return EvaluationWords(
        step=_("Step"),
        crps=_("CRPS"),
        place=_("Place of what came in the forecast distribution"),
        share=_("Share"),
        even=_("Even, as it should be"),
        band=_("Band"),
        held=_("Share that it held"),
        exact=_("As it should be"),
        chance=_("Stated chance of a rise"),
        rose=_("Share that rose"),
        until=_("Cutoffs until"),
    )
