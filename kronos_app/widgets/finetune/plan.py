"""The plan of a run: its windows on a timeline, learning rates, time and memory, and the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from kronos_app import state
from kronos_app.charts.finetune import Stretch, timeline_chart
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.finetune.request import TuneRequest
from kronos_app.services.finetune.views import Estimate, TunePlan
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import keys, words
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.runs.parts import render_chart, render_notes

POLL_SECONDS = 1.0
GB = 1e9


def render_plan(request: TuneRequest) -> None:
    """Render the plan, with buttons to try a few steps and to start."""
    with st.spinner(_("Reading the candles …")):
        plan = desk().tuning.plan(request)
    _splits(plan)
    figure = timeline_chart(stretches_of(plan.preflight), words.timeline_words())
    render_chart(figure, "finetune.timeline", _("Train/validation/test split of each symbol"))
    _rates(plan)
    render_notes(plan.notes)
    _cutoffs(plan)
    _trial(request)
    if st.button(_("Start"), type="primary", icon=":material/play_arrow:", width="stretch", key="finetune.start"):
        with errors.render_errors():
            run = desk().tuning.start(request)
            st.query_params["run"] = run.id
            st.rerun()


def stretches_of(preflight: Mapping[str, Any]) -> list[Stretch]:
    """Return the spans of a preflight for the chart."""
    spans: Sequence[Mapping[str, Any]] = preflight["spans"]
    return [
        Stretch(
            span["group"],
            span["symbol"],
            span["split"],
            pd.Timestamp(span["first"]),
            pd.Timestamp(span["last"]),
            span["windows"],
        )
        for span in spans
    ]


def _splits(plan: TunePlan) -> None:
    helps = {
        "train": _("Windows of candles that the model is trained on; they overlap."),
        "validation": _("Later than the training set: chooses the best checkpoint."),
        "test": _("The latest candles: used once, for the final scores."),
    }
    with st.container(horizontal=True, gap="small"):
        for split, name in words.SPLITS.items():
            size = plan.preflight["splits"].get(split)
            windows = 0 if size is None else size["windows"]
            count = _("{count} windows").format(count=formats.number(windows, 0))
            st.metric(state.say(name), count, width=150, help=helps[split])
    for stage in plan.config.stages:
        settings = plan.config.stage(stage)
        windows = plan.preflight["splits"]["train"]["windows"]
        passes = settings.steps * settings.batch / max(windows, 1)
        sentence = _("{stage}: {steps} steps of {batch} windows are {passes} epochs of the training set.")
        st.caption(
            sentence.format(
                stage=state.say(words.STAGES[stage]),
                steps=formats.number(settings.steps, 0),
                batch=formats.number(settings.batch, 0),
                passes=formats.number(passes, 1),
            )
        )


def _cutoffs(plan: TunePlan) -> None:
    """Render how many cutoffs the final scores will have, and a warning where they are too few for a verdict."""
    sentence = _("Final scores, {split}: {cutoffs} cutoffs at {times} different times.")
    scored = {split: size for split, size in plan.preflight["splits"].items() if size["cutoffs"]}
    for split, size in scored.items():
        name = state.say(words.SPLITS[split])
        counts = {count: formats.number(size[count], 0) for count in ("cutoffs", "times")}
        st.caption(sentence.format(split=name, **counts))
    for warning in plan.warnings:
        st.warning(escape(state.say(warning)), icon=":material/warning:")


def _rates(plan: TunePlan) -> None:
    """Render the suggested learning rate of each stage, and the reason."""
    for stage, advice in plan.advice.items():
        own = plan.config.stage(stage).learning_rate
        name = state.say(words.STAGES[stage])
        if own is None or own == advice.learning_rate:
            sentence = _("{stage}: suggested learning rate, {reason}")
        else:
            sentence = _("{stage}: your learning rate; suggested: {reason}")
        st.caption(escape(sentence.format(stage=name, reason=state.say(advice.reason))))


def _trial(request: TuneRequest) -> None:
    measured = desk().tuning.estimated(request)
    job_id = st.session_state.get(keys.TRIAL)
    if measured is not None:
        _estimate(measured)
    elif job_id is not None and desk().jobs.get(job_id).active:
        _follow(job_id)
    else:
        _failed(job_id)
        if st.button(
            _("Try a few steps"),
            icon=":material/timer:",
            key="finetune.try",
            width="stretch",
            help=_("Runs a few real steps and estimates total time and memory."),
        ):
            with errors.render_errors():
                st.session_state[keys.TRIAL] = desk().tuning.estimate(request)
                st.rerun()


def _failed(job_id: str | None) -> None:
    """Render the error of the last trial, if it failed."""
    job = None if job_id is None else desk().jobs.get(job_id)
    if job is not None and job.status == "failed" and job.error is not None:
        errors.render_error(Text.from_dict(job.error["message"]), Text.from_dict(job.error["hint"]))


@st.fragment(run_every=POLL_SECONDS)
def _follow(job_id: str) -> None:
    with errors.render_errors():
        if not desk().jobs.get(job_id).active:
            st.rerun()
        st.markdown(":material/timer: " + _("Trying a few steps …"))


def _estimate(measured: Estimate) -> None:
    share = measured.trained / max(measured.parameters, 1)
    facts = {
        _("Estimated time"): formats.time_range(*measured.total_seconds),
        _("Memory"): _("about {size}").format(size=_memory(measured.memory_bytes)),
        _("Trained parameters"): f"{formats.compact(measured.trained)} ({formats.percent(share, 0)})",
    }
    with st.container(horizontal=True, gap="small"):
        for label, value in facts.items():
            st.metric(label, value, width="content")
    names = {"start": _("start"), "training": _("training with validation"), "scoring": _("scoring of forecasts")}
    parts = [f"{names[part]} {formats.time_range(*seconds)}" for part, seconds in measured.parts.items()]
    measure = _("Measured on this machine: {seconds} s a step.").format(
        seconds=formats.number(measured.seconds_per_step, 2)
    )
    st.caption(" ".join([measure, _("Parts: {parts}.").format(parts=" · ".join(parts))]))
    if "scoring" not in measured.parts:
        st.caption(_("The trial had no time to measure the scoring of forecasts: the run takes longer."))


def _memory(size: int) -> str:
    return f"{formats.number(size / GB, 1)} GB" if size >= GB else formats.size(size)
