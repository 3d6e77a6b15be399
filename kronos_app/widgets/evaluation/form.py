"""The form of a new evaluation: models, candles, cutoffs, the size of the evaluation, and Start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import text
from kronos_app.runtime import desk
from kronos_app.services.evaluation.request import MOST_MODELS
from kronos_app.services.evaluation.service import EvaluationRequest
from kronos_app.services.selection.context import SHORTEST_LOOKBACK
from kronos_app.services.selection.request import CandleSelection
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.evaluation import task
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.models import choice as model_choice
from kronos_app.widgets.runs import setup
from kronos_app.widgets.runs.fields import RequestFields
from kronos_app.widgets.selection.picker import CandlePicker

PICKER = CandlePicker("evaluate")
LABELS = {
    **setup.LABELS,
    "n_windows": text("Cutoffs of each series"),
    "step_size": text("Candles between cutoffs"),
    "until": text("Candles up to"),
    "fitted": text("Compare with fitted baselines, too (GARCH, GJR, exponential smoothing, theta, ARIMA)"),
}
FIELDS = RequestFields(EvaluationRequest, "evaluate", LABELS)


def render() -> None:
    """Render the form."""
    setup.render_adopted("evaluate")
    first, second = st.columns(2, gap="large")
    with first:
        fields = PICKER.pick(_("Candles to forecast"))
        selection = None if fields is None else CandleSelection.model_validate(fields)
    with second:
        models = _pick_models()
    settings = {"task": task.pick(selection, models), **_settings(models)}
    if selection is None or not models:
        st.caption(_("Choose candles and at least one model."))
        return
    with errors.render_errors():
        _offer(EvaluationRequest.build({"data": selection, "models": models, **settings}))


def adopt_forecast(forecast: StoredForecast) -> None:
    """Fill the form with the data set and the setup of a forecast."""
    PICKER.adopt(setup.data_of(forecast))
    values = {"models": [forecast.provenance["model"]], **setup.setup_values(forecast)}
    FIELDS.adopt(values)
    st.session_state[task.TASK] = None


def _pick_models() -> list[str]:
    offered, key = model_choice.offered(), FIELDS.key("models")
    state.default(key, [state.model()])
    st.session_state[key] = [name for name in st.session_state[key] if name in offered]
    return st.multiselect(
        _("Models"),
        list(offered),
        key=key,
        persist_state="session",
        max_selections=MOST_MODELS,
        placeholder=_("Choose one or several"),
        help=_("All forecast the same candles at the same cutoffs, beside simple baselines."),
    )


def _settings(models: Sequence[str]) -> dict[str, Any]:
    first, second, third, fourth = st.columns(4)
    settings: dict[str, Any] = {}
    for place, field in ((first, "lookback"), (second, "horizon"), (fourth, "samples")):
        low = {"low": SHORTEST_LOOKBACK} if field == "lookback" else {}
        with place:
            settings[field] = setup.render_setup_field(FIELDS, field, models, **low)
    about = _("The latest ones of each series. Hundreds of cutoffs are much better evidence than dozens.")
    settings["n_windows"] = FIELDS.number(third, "n_windows", help=about)
    with st.expander(_("More settings"), icon=":material/tune:") as expander:
        settings |= setup.render_sampling_fields(FIELDS, models)
        first, second, third, _fourth = st.columns(4)
        about = _("If fewer than the horizon, futures overlap and a cutoff adds less evidence.")
        settings["step_size"] = FIELDS.number(first, "step_size", placeholder=_("as the horizon"), help=about)
        settings["seed"] = FIELDS.number(second, "seed")
        about = _("Later candles are not used, as the series has its times. Empty: all candles are used.")
        settings["until"] = FIELDS.datetime(third, "until", help=about)
        about = _("They are fitted anew at every cutoff, which takes longer than all other baselines together.")
        settings["fitted"] = FIELDS.checkbox(expander, "fitted", help=about)
    return settings


def _offer(request: EvaluationRequest) -> None:
    """Render the size of the evaluation and the button that starts it."""
    plan = desk().evaluations.plan(request)
    duration = _("unknown until it runs") if plan.seconds is None else formats.remaining(plan.seconds)
    with st.container(horizontal=True, gap="medium"):
        st.metric(_("Cutoffs"), formats.number(plan.cutoffs, 0), width=130)
        st.metric(_("Forecasts of models"), formats.number(plan.forecasts, 0), width=185)
        st.metric(_("About"), duration, width=150, help=_("At the pace of earlier evaluations on this machine."))
    for note in plan.notes:
        st.caption(":material/info: " + escape(state.say(note)))
    if st.button(_("Start"), type="primary", icon=":material/play_arrow:", key="evaluate.start"):
        evaluation = desk().evaluations.start(request)
        setup.forget_adopted("evaluate")
        nav.go("evaluate", evaluation=evaluation.id)
