"""The page of a fine-tuning run."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.finetune import examples_chart
from kronos_app.charts.finetune_curves import curves_chart
from kronos_app.runtime import desk
from kronos_app.services.finetune import records
from kronos_app.services.finetune.run import TuneRun
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import scores, words
from kronos_app.widgets.finetune.register import render_registration
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.runs.parts import render_chart, render_notes

LINES = 60  # of the log


def render_result(run: TuneRun) -> None:
    """Render a run: what there is of registration, scores, curves, example forecasts, log and files."""
    if run.state == "finished":
        with errors.render_errors():
            render_registration(run)
    if run.steps:
        _facts(run)
    if run.report is not None:
        scores.render_verdict(run)
        scores.render_parts(run)
    _curves(run)
    _examples(run)
    render_notes(run.notes)
    _log(run)
    _files(run)


def _facts(run: TuneRun) -> None:
    facts = {
        _("Step"): f"{formats.number(run.step, 0)} / {formats.number(run.steps, 0)}",
        _("Training loss"): formats.number(run.loss, 3),
        _("Windows per second"): formats.number(run.rate, 0),
    }
    if run.state == "running":
        left = formats.MISSING if run.remaining is None else formats.remaining(run.remaining)
        facts[_("Time left")] = left
    with st.container(horizontal=True, gap="medium"):
        for label, value in facts.items():
            st.metric(label, value, width=160)


def _curves(run: TuneRun) -> None:
    logs = {stage: log for stage, log in records.read_curves(run).items() if len(log)}
    for stage, log in logs.items():
        st.markdown(f"**{state.say(words.STAGES[stage])}**")
        figure = curves_chart(log, words.curve_words(), apart=stage == "tokenizer")
        alt = _("Losses, learning rate and gradient norm by step")
        render_chart(figure, f"finetune.curves.{run.id}.{stage}", alt)
        st.caption(_explain_curves(stage))


def _explain_curves(stage: str) -> str:
    if stage == "tokenizer":
        return _(
            "The validation loss is the distance between candles and their reconstruction from "
            "tokens; it should fall. The training loss (left axis) also measures how evenly tokens "
            "are used and may be negative."
        )
    return _(
        "The validation loss should fall with the training loss. If it rises again, the model is "
        "overfitting; the best checkpoint is saved."
    )


def _examples(run: TuneRun) -> None:
    """Render forecasts of validation candles, and their scores until there is a report."""
    latest = records.read_examples(run)
    looks = records.read_looks(run)
    if latest and latest["examples"]:
        st.markdown("**" + _("Forecasts and actuals") + "**")
        figure = examples_chart(latest["examples"], words.example_words())
        alt = _("Forecasts of the run and of its base model, with the actual candles")
        render_chart(figure, f"finetune.examples.{run.id}", alt)
        caption = _("From the validation set, at step {step}: the model was not trained on these candles.")
        st.caption(caption.format(step=formats.number(latest["step"], 0)))
    if looks and run.report is None:
        last = looks[-1]
        caption = _("Scores of forecasts at step {step}, on validation")
        st.markdown(f"**{caption.format(step=formats.number(last['step'], 0))}**")
        scores.render_scores(last["forecasters"], f"finetune.looks.{run.id}")


def _log(run: TuneRun) -> None:
    with st.expander(_("Log"), icon=":material/terminal:", expanded=run.error is not None):
        tail = desk().tuning.tail(run.id, LINES)
        st.code(tail or _("The log is empty."), language=None, height=260)


def _files(run: TuneRun) -> None:
    """Render settings and model card, with downloads."""
    with st.expander(_("Settings and files"), icon=":material/description:", key=f"finetune.files.{run.id}"):
        with st.container(horizontal=True):
            st.download_button(
                _("Download the settings"),
                partial(desk().tuning.config_text, run.id),
                file_name="config.yaml",
                on_click="ignore",
                icon=":material/download:",
                key=f"finetune.config.{run.id}",
                help=_("The same settings and candles give the same result, here and on the command line."),
            )
            st.download_button(
                _("Download the curves"),
                partial(_curves_csv, run),
                file_name="curves.csv",
                on_click="ignore",
                icon=":material/download:",
                key=f"finetune.csv.{run.id}",
            )
        card = desk().tuning.card(run.id)
        first, second = st.tabs([_("Settings"), _("Model card")])
        first.code(desk().tuning.config_text(run.id), language="yaml", height=420)
        with second:
            st.markdown(card_body(card) if card else _("Available when the run has finished."))


def card_body(card: str) -> str:
    """Return a model card without the lines at its top that are for the Hub alone, and without images.

    A card has no image of its own; one that an earlier version wrote may hold that of a symbol's name.
    """
    parts = card.split("---\n", 2)
    return (parts[2] if card.startswith("---\n") and len(parts) == 3 else card).replace("![", "\\!\\[")


def _curves_csv(run: TuneRun) -> str:
    logs = records.read_curves(run)
    return str(
        pd.concat([log.assign(stage=stage) for stage, log in logs.items()] or [pd.DataFrame()]).to_csv(index=False)
    )
