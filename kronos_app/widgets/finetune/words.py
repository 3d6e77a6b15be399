"""Words of the Fine-tune page, in the language of the session."""

from __future__ import annotations

from collections.abc import Mapping

from kronos_app import state
from kronos_app.charts.finetune import ExampleWords, TimelineWords
from kronos_app.charts.finetune_curves import CurveWords
from kronos_app.i18n import Text, text
from kronos_app.state import gettext as _

SPLITS: Mapping[str, Text] = {"train": text("Training set"), "validation": text("Validation"), "test": text("Test")}
STAGES: Mapping[str, Text] = {"tokenizer": text("Tokenizer"), "predictor": text("Predictor")}
PHASES: Mapping[str, Text] = {
    "preparing": text("Preparing the candles"),
    "tokenizer": text("Training the tokenizer"),
    "predictor": text("Training the predictor"),
    "judging": text("Scoring"),
    "exporting": text("Exporting"),
}


def curve_words() -> CurveWords:
    """Return the words of the loss charts."""
    return CurveWords(
        step=_("Step"),
        training=_("Training loss"),
        validation=_("Validation loss"),
        rate=_("Learning rate"),
        norm=_("Gradient norm"),
    )


def timeline_words() -> TimelineWords:
    """Return the words of the timeline."""
    splits = {split: state.say(name) for split, name in SPLITS.items()}
    return TimelineWords(splits=splits, gap=_("Embargo"), windows=_("{count} windows"))


def example_words() -> ExampleWords:
    """Return the words of the example forecasts."""
    return ExampleWords(
        history=_("History"),
        actual=_("Actual"),
        tuned=_("This run"),
        base=_("Base model"),
        band=_("{level} % band").format(level=90),
    )
