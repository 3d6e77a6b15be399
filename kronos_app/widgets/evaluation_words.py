"""Words of evaluation that several widgets use, in the session's language."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_app import state
from kronos_app.charts.evaluation import EvaluationWords
from kronos_app.i18n import Text
from kronos_app.services.evaluation import EvaluationView
from kronos_app.widgets import formats, work_words


def details(seen: EvaluationView) -> str:
    """Return what an evaluation is made of, in one line."""
    _ = state.gettext()
    request = seen.request
    return " · ".join(
        [
            _("{cutoffs} cutoffs").format(cutoffs=formats.number(seen.cutoffs, 0)),
            _("{lookback} candles → {horizon}").format(lookback=request.lookback, horizon=request.horizon),
            _("{samples} paths each").format(samples=request.samples),
            _("begun {moment}").format(moment=formats.moment(seen.created)),
        ]
    )


def sentence(seen: EvaluationView) -> str:
    """Return how far it is and how long it will take, as far as that is known."""
    _ = state.gettext()
    return work_words.sentence(
        seen,
        loading=_("Waiting for its turn, or loading the models"),
        counted=_("{done} of {total} forecasts"),
        ending=_("Putting the scores together"),
    )


def names(forecasters: Iterable[str]) -> dict[str, str]:
    """Return forecasters with what readers call them."""
    from training.evaluation.baselines.labels import LABELS, label

    told = {name: state.say(Text.from_dict(label(name).to_dict())) for name in forecasters}
    return {name: shown[:1].upper() + shown[1:] if name in LABELS else name for name, shown in told.items()}


def chart_words() -> EvaluationWords:
    """Return the words of the figures."""
    _ = state.gettext()
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
