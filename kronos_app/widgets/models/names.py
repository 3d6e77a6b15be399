"""Names of training methods and forecasters, in the language of the session."""

from __future__ import annotations

from kronos_app.services.ledger.comparison import forecaster_name
from kronos_app.state import gettext as _
from kronos_app.state import say


def method_name(method: str) -> str:
    """Return which weights a fine-tuning method trains."""
    names = {"full": _("all weights"), "frozen": _("upper layers"), "lora": _("adapters (LoRA)")}
    return names.get(method, method)


def own_name(name: str) -> str:
    """Return the name of a forecaster in the scores of a run: the run's model, its base model or a baseline."""
    names = {"tuned": _("This run"), "base": _("Base model")}
    return names.get(name) or forecaster_label(name)


def forecaster_label(name: str) -> str:
    """Return the name of a baseline, with a capital, or of a model as it is."""
    from training.evaluation.verdicts import LABELS

    label = say(forecaster_name(name))
    return label[:1].upper() + label[1:] if name in LABELS else label
