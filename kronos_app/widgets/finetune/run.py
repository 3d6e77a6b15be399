"""One run: state, curves, example forecasts, scores and log, updated while it runs."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from kronos_app import nav, state
from kronos_app.charts.finetune import examples_chart
from kronos_app.charts.finetune_curves import curves_chart
from kronos_app.runtime import desk
from kronos_app.services.finetune import records
from kronos_app.services.finetune.views import RunView
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import scores, words
from kronos_app.widgets.finetune.actions import render_actions
from kronos_app.widgets.finetune.register import render_registration
from kronos_app.widgets.finetune.runs import describe_progress
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.parts import render_chart, render_notes

POLL_SECONDS = 2.0
LINES = 60  # of the log


def render_run(run_id: str) -> None:
    """Render the run that the address names."""
    nav.link("finetune", _("All runs"), icon=":material/arrow_back:")
    with errors.render_errors():
        run = desk().tuning.get(run_id)
        _head(run)
        if run.active:
            _live(run_id, (run.state, run.phase))
        else:
            _body(run)
        _files(run)


def _head(run: RunView) -> None:
    heading, actions = st.columns([5, 4], vertical_alignment="center")
    with heading:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(escape(run.name), width="content", anchor=False)
            st.markdown(words.badge(run), width="content")
        st.markdown(f":small[{escape(words.details(run))}]")
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        render_actions(run, opened=True)
    _banner(run)


def _banner(run: RunView) -> None:
    """Render a notice of the state, or the registration of a finished run."""
    if run.state == "interrupted":
        st.warning(
            _(
                "This run was interrupted: its trainer process ended. Resume continues from the last "
                "checkpoint and reaches the same result."
            ),
            icon=":material/power_off:",
        )
    elif run.state == "paused":
        st.info(_("This run is paused. Resume continues from the last step."), icon=":material/pause_circle:")
    if run.state in {"failed", "interrupted"} and run.error is not None:
        st.error(escape(state.say(run.error)), icon=":material/error:")
    if run.state == "finished":
        with errors.render_errors():
            render_registration(run)


@st.fragment(run_every=POLL_SECONDS)
def _live(run_id: str, drawn: tuple[str, str]) -> None:
    """Render the current run; rerun the page when its state or phase is no longer as in `drawn`."""
    with errors.render_errors():
        run = desk().tuning.get(run_id)
        if (run.state, run.phase) != drawn:
            st.rerun()
        st.progress(run.progress, text=describe_progress(run))
        st.caption(_("You can leave or close this page: the run continues, and this address shows it."))
        _body(run)


def _body(run: RunView) -> None:
    report = records.read_report(desk().tuning.run(run.id))
    if run.steps:
        _facts(run)
    if report is not None:
        scores.render_verdict(report)
        scores.render_parts(report, f"finetune.scores.{run.id}")
    _curves(run)
    _examples(run, final=report is not None)
    render_notes(run.notes)
    _log(run)


def _facts(run: RunView) -> None:
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


def _curves(run: RunView) -> None:
    logs = {stage: log for stage, log in records.read_curves(desk().tuning.run(run.id)).items() if len(log)}
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


def _examples(run: RunView, *, final: bool) -> None:
    """Render forecasts of validation candles, and their scores until there is a report."""
    latest = records.read_examples(desk().tuning.run(run.id))
    looks = records.read_looks(desk().tuning.run(run.id))
    if latest and latest["examples"]:
        st.markdown("**" + _("Forecasts and actuals") + "**")
        figure = examples_chart(latest["examples"], words.example_words())
        alt = _("Forecasts of the run and of its base model, with the actual candles")
        render_chart(figure, f"finetune.examples.{run.id}", alt)
        caption = _("From the validation set, at step {step}: the model was not trained on these candles.")
        st.caption(caption.format(step=formats.number(latest["step"], 0)))
    if looks and not final:
        last = looks[-1]
        caption = _("Scores of forecasts at step {step}, on validation")
        st.markdown(f"**{caption.format(step=formats.number(last['step'], 0))}**")
        scores.render_scores(last["forecasters"], f"finetune.looks.{run.id}")


def _log(run: RunView) -> None:
    with st.expander(_("Log"), icon=":material/terminal:", expanded=run.error is not None):
        tail = desk().tuning.tail(run.id, LINES)
        st.code(tail or _("The log is empty."), language=None, height=260)


def _files(run: RunView) -> None:
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
                partial(_curves_csv, run.id),
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


def _curves_csv(run_id: str) -> str:
    logs = records.read_curves(desk().tuning.run(run_id))
    return str(
        pd.concat([log.assign(stage=stage) for stage, log in logs.items()] or [pd.DataFrame()]).to_csv(index=False)
    )
