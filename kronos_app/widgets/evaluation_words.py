"""Words of evaluation that several widgets use, in the session's language."""

from __future__ import annotations

from collections.abc import Iterable

from kronos_app import state
from kronos_app.charts.evaluation import EvaluationWords
from kronos_app.i18n import Text
from kronos_app.services.evaluation import EvaluationView
from kronos_app.widgets import formats

COLOURS = {
    "queued": "gray",
    "running": "blue",
    "finished": "green",
    "failed": "red",
    "cancelled": "orange",
    "interrupted": "orange",
}


def badge(seen: EvaluationView) -> str:
    """Return the state of an evaluation as a badge."""
    _ = state.gettext()
    names = {
        "queued": _("waiting"),
        "running": _("running"),
        "finished": _("finished"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
        "interrupted": _("interrupted"),
    }
    return f":{COLOURS[seen.state]}-badge[{names[seen.state]}]"


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
    if seen.state == "queued":
        return _("Waiting for the work before it to finish")
    if not seen.total:
        return _("Waiting for its turn, or loading the models")
    if seen.done >= seen.total:
        return _("Putting the scores together")
    done, total = (formats.number(count, 0) for count in (seen.done, seen.total))
    told = _("{done} of {total} forecasts").format(done=done, total=total)
    if seen.remaining is None:
        return told
    return told + " · " + _("about {time} left").format(time=formats.remaining(seen.remaining))


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
