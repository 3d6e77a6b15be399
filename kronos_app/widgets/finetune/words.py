"""Words of fine-tuning that several widgets use, in the session's language."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kronos_app import state
from kronos_app.charts.finetune import ExampleWords, TimelineWords
from kronos_app.charts.finetune_curves import CurveWords
from kronos_app.services.finetune.views import RunView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models.names import method_name

COLOURS = {
    "queued": "gray",
    "running": "blue",
    "paused": "orange",
    "finished": "green",
    "failed": "red",
    "interrupted": "orange",
}


def split_names() -> dict[str, str]:
    """Return what stretches of time serve for."""
    return {"train": _("Training set"), "validation": _("Validation"), "test": _("Test")}


def stage_names() -> dict[str, str]:
    """Return the two networks."""
    return {"tokenizer": _("Tokenizer"), "predictor": _("Predictor")}


def phase_name(phase: str) -> str:
    """Return what a run does in a phase."""
    names = {
        "preparing": _("Preparing the candles"),
        "tokenizer": _("Training the tokenizer"),
        "predictor": _("Training the predictor"),
        "judging": _("Scoring"),
        "exporting": _("Exporting"),
    }
    return names.get(phase, phase)


def badge(run: RunView) -> str:
    """Return the state of a run as a badge."""
    names = {
        "queued": _("queued"),
        "running": _("running"),
        "paused": _("paused"),
        "finished": _("finished"),
        "failed": _("failed"),
        "interrupted": _("interrupted"),
    }
    word = names[run.state]
    if run.state == "finished" and run.stopped:
        word = _("stopped early, saved")
    found = f":{COLOURS[run.state]}-badge[{word}]"
    return found + " :red-badge[" + _("worse than the base model") + "]" if run.worse else found


def notes(run_notes: Any) -> None:
    """Draw what a reader should know."""
    for note in run_notes:
        st.caption(":material/info: " + escape(state.say(note)))


def details(run: RunView) -> str:
    """Return what a run is made of, in one line."""
    stages = stage_names()
    return " · ".join(
        [
            _("base {base}").format(base=run.base or _("scratch")),
            method_name(run.method),
            " + ".join(stages[stage] for stage in run.stages),
            _("started {moment}").format(moment=formats.moment(run.created)),
        ]
    )


def curve_words() -> CurveWords:
    """Return the words of losses over time."""
    return CurveWords(
        step=_("Step"),
        training=_("Training loss"),
        validation=_("Validation loss"),
        rate=_("Learning rate"),
        norm=_("Gradient norm"),
    )


def timeline_words() -> TimelineWords:
    """Return the words of the timeline."""
    return TimelineWords(splits=split_names(), gap=_("Embargo"), windows=_("{count} windows"))


def example_words() -> ExampleWords:
    """Return the words of forecasts beside what came."""
    return ExampleWords(
        history=_("History"),
        actual=_("Actual"),
        tuned=_("This run"),
        base=_("Base model"),
        band=_("{level} % band").format(level=90),
    )
