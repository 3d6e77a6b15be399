"""A new evaluation: models, candles, cutoffs, what it comes to, and Start."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.errors import AppError
from kronos_app.runtime import desk
from kronos_app.services.evaluation.request import MOST_MODELS
from kronos_app.services.evaluation.service import EvaluationData, EvaluationRequest
from kronos_app.state import gettext as _
from kronos_app.widgets.evaluation import data as evaluation_data
from kronos_app.widgets.evaluation import task as evaluation_task
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models import choice as model_choice

EVALUATION = "evaluation"  # the address names one by this
DEFAULTS: dict[str, Any] = {
    name: EvaluationRequest.model_fields[name].default for name in ("lookback", "horizon", "n_windows", "samples")
}


def draw() -> None:
    """Draw the form."""
    first, second = st.columns(2, gap="large")
    with first:
        data = evaluation_data.draw()
    with second:
        models = _models()
    settings = {"task": evaluation_task.choice(data, models), **_settings()}
    if data is None or not models:
        st.caption(_("Choose candles and at least one model."))
        return
    with errors.shown():
        _offer(data, models, settings)


def _models() -> list[str]:
    offered = model_choice.offered()
    state.default(state.EVALUATE_MODELS, [state.model()])
    known = [name for name in st.session_state[state.EVALUATE_MODELS] if name in offered]
    st.session_state[state.EVALUATE_MODELS] = known
    return st.multiselect(
        _("Models"),
        list(offered),
        key=state.EVALUATE_MODELS,
        persist_state="session",
        max_selections=MOST_MODELS,
        placeholder=_("Choose one or several"),
        help=_("All forecast the same candles at the same cutoffs, beside baselines that cost nothing."),
    )


def _settings() -> dict[str, Any]:
    columns = st.columns(4)
    with columns[0]:
        lookback = _number(_("Lookback"), state.EVALUATE_LOOKBACK, "lookback", 16, 2048)
    with columns[1]:
        horizon = _number(_("Horizon"), state.EVALUATE_HORIZON, "horizon", 1, 512)
    with columns[2]:
        help_ = _("The latest ones of each series. Hundreds tell much more than dozens.")
        windows = _number(_("Cutoffs of each series"), state.EVALUATE_WINDOWS, "n_windows", 1, 5000, help_)
    with columns[3]:
        help_ = _("Paths drawn at each cutoff. A 95 % band takes 39; scores are fair with fewer.")
        samples = _number(_("Samples"), state.EVALUATE_SAMPLES, "samples", 1, 500, help_)
    with st.expander(_("More settings"), icon=":material/tune:"):
        columns = st.columns(4)
        step = columns[0].number_input(
            _("Candles between cutoffs"),
            1,
            10_000,
            value=None,
            key=state.EVALUATE_STEP,
            persist_state="session",
            placeholder=_("as the horizon"),
            help=_("With fewer than the horizon, futures overlap and each cutoff tells less."),
        )
        state.default(state.EVALUATE_TEMPERATURE, 1.0)
        state.default(state.EVALUATE_TOP_P, 1.0)
        state.default(state.EVALUATE_SEED, 0)
        state.default(state.EVALUATE_FITTED, True)
        temperature = columns[1].number_input(
            _("Temperature"), 0.05, 5.0, step=0.05, key=state.EVALUATE_TEMPERATURE, persist_state="session"
        )
        top_p = columns[2].number_input(
            _("Top-p"), 0.05, 1.0, step=0.05, key=state.EVALUATE_TOP_P, persist_state="session"
        )
        seed = columns[3].number_input(
            _("Seed"), 0, 2**32 - 1, step=1, key=state.EVALUATE_SEED, persist_state="session"
        )
        fitted = st.checkbox(
            _("Compare with fitted baselines, too (GARCH, GJR, exponential smoothing, theta, ARIMA)"),
            key=state.EVALUATE_FITTED,
            persist_state="session",
            help=_("They are fitted anew at every cutoff, which takes longer than all other baselines together."),
        )
    return {
        "lookback": lookback,
        "horizon": horizon,
        "n_windows": windows,
        "samples": samples,
        "step_size": step,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
        "fitted": fitted,
    }


def _number(label: str, key: str, field: str, least: int, most: int, about: str | None = None) -> int:
    state.default(key, DEFAULTS[field])
    return int(st.number_input(label, least, most, step=1, key=key, persist_state="session", help=about))


def _offer(data: EvaluationData, models: list[str], settings: dict[str, Any]) -> None:
    """Say what it comes to, and offer to start."""
    request = EvaluationRequest.build({"data": data, "models": models, **settings})
    plan = desk().evaluations.plan(request)
    took = _("unknown until it runs") if plan.seconds is None else formats.remaining(plan.seconds)
    with st.container(horizontal=True, gap="medium"):
        st.metric(_("Cutoffs"), formats.number(plan.cutoffs, 0), width=150)
        st.metric(_("Forecasts of models"), formats.number(plan.forecasts, 0), width=190)
        st.metric(_("About"), took, width=240, help=_("By the pace of earlier evaluations on this machine."))
    for note in plan.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    if st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="evaluate.start"):
        try:
            started = desk().evaluations.start(request)
        except AppError as error:
            errors.show(error.message, error.hint)
            return
        nav.go("evaluate", evaluation=started.id)
