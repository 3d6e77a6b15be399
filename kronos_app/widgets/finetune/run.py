"""One run: how it stands, its curves, forecasts beside what came, scores, log; live while it goes on."""

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
from kronos_app.widgets.finetune import actions as tuning_actions
from kronos_app.widgets.finetune import register as tuning_register
from kronos_app.widgets.finetune import runs as tuning_runs
from kronos_app.widgets.finetune import scores as tuning_scores
from kronos_app.widgets.finetune import words as tuning_words
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape

POLL_SECONDS = 2.0
LINES = 60  # of the log
CHART_CONFIG = {"displaylogo": False, "displayModeBar": False}


def draw(run_id: str) -> None:
    """Draw the run that the address names."""
    nav.link("finetune", _("All runs"), icon=":material/arrow_back:")
    with errors.shown():
        run = desk().tuning.get(run_id)
        _head(run)
        if run.active:
            _live(run_id, (run.state, run.phase))
        else:
            _body(run)
        _files(run)


def _head(run: RunView) -> None:
    words, actions = st.columns([5, 4], vertical_alignment="center")
    with words:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(escape(run.name), width="content", anchor=False)
            st.markdown(tuning_words.badge(run), width="content")
        st.markdown(f":small[{escape(tuning_words.details(run))}]")
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        tuning_actions.draw(run, opened=True)
    _banner(run)


def _banner(run: RunView) -> None:
    """Say what the reader has to know before all else."""
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
        with errors.shown():
            tuning_register.draw(run)


@st.fragment(run_every=POLL_SECONDS)
def _live(run_id: str, drawn: tuple[str, str]) -> None:
    """Draw the run as it is now, and the whole page anew once its state or phase is another than drawn."""
    with errors.shown():
        run = desk().tuning.get(run_id)
        if (run.state, run.phase) != drawn:
            st.rerun()
        st.progress(run.progress, text=tuning_runs.sentence(run))
        st.caption(_("You can leave or close this page: the run continues, and this address shows it."))
        _body(run)


def _body(run: RunView) -> None:
    report = records.read_report(desk().tuning.run(run.id))
    if run.steps:
        _facts(run)
    if report is not None:
        tuning_scores.draw_verdict(report)
        tuning_scores.draw_parts(report, f"finetune.scores.{run.id}")
    _curves(run)
    _examples(run, final=report is not None)
    tuning_words.notes(run.notes)
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
    names = tuning_words.stage_names()
    for stage, log in logs.items():
        st.markdown(f"**{names[stage]}**")
        figure = curves_chart(log, tuning_words.curve_words(), apart=stage == "tokenizer")
        label = _("Losses, learning rate and gradient norm by step")
        st.plotly_chart(figure, key=f"finetune.curves.{run.id}.{stage}", config=CHART_CONFIG, alt=label)
        st.caption(_curves_told(stage))


def _curves_told(stage: str) -> str:
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
    """Draw forecasts of time it did not learn from, and the scores of the last look where there is no report yet."""
    found = records.read_examples(desk().tuning.run(run.id))
    looks = records.read_looks(desk().tuning.run(run.id))
    if found and found["examples"]:
        st.markdown("**" + _("Forecasts and actuals") + "**")
        figure = examples_chart(found["examples"], tuning_words.example_words())
        alt = _("Forecasts of the run and of its base model, with the actual candles")
        st.plotly_chart(figure, key=f"finetune.examples.{run.id}", config=CHART_CONFIG, alt=alt)
        told = _("From the validation set, at step {step}: the model was not trained on these candles.")
        st.caption(told.format(step=formats.number(found["step"], 0)))
    if looks and not final:
        last = looks[-1]
        told = _("Scores of forecasts at step {step}, on validation")
        st.markdown(f"**{told.format(step=formats.number(last['step'], 0))}**")
        tuning_scores.draw_table(last["forecasters"], f"finetune.looks.{run.id}")


def _log(run: RunView) -> None:
    with st.expander(_("Log"), icon=":material/terminal:", expanded=run.error is not None):
        tail = desk().tuning.tail(run.id, LINES)
        st.code(tail or _("The log is empty."), language=None, height=260)


def _files(run: RunView) -> None:
    """Draw what can be read and taken away."""
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
