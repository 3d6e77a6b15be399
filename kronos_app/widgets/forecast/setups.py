"""Further setups beside that of the form, for one run that compares them."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text, text
from kronos_app.runtime import desk
from kronos_app.services.forecast.request import PRESETS, ForecastRequest
from kronos_app.services.forecast.sampling import LABELS, preset_settings
from kronos_app.services.forecast.service import MOST_SETUPS, Submission
from kronos_app.services.forecast.view import ForecastView
from kronos_app.services.selection.setup import ForecastSetup
from kronos_app.state import gettext as _
from kronos_app.store.records import StoredForecast
from kronos_app.widgets.forecast import keys
from kronos_app.widgets.forecast.comparison import render_comparison
from kronos_app.widgets.kit import job
from kronos_app.widgets.kit.fields import render_select
from kronos_app.widgets.models.choice import label_names, offered
from kronos_app.widgets.runs import setup
from kronos_app.widgets.runs.fields import RequestFields

PARAMETER, JOB = "compare", "job-"  # an entry of the address is the id of a forecast, or of a job with this prefix
FORM, OWN = "form", "own"  # sampling settings besides presets: those of the form, or values of one's own
SAMPLINGS: dict[str, Text] = {
    FORM: text("As in the form"),
    **{str(use): label for use, label in LABELS.items()},
    **{name: preset.label for name, preset in PRESETS.items()},
    OWN: text("Own values"),
}
NUMBERS = ("temperature", "top_p", "top_k", "samples")
DRIFTLESS = "driftless"
NARROWEST_FIELD = 110  # pixels
SUGGESTED = ("conservative", "exploratory", "point", "bands")  # of these, never that of the form


def render_setups() -> None:
    """Render the choice of up to three setups more than that of the form."""
    slots: list[int] = st.session_state.setdefault(keys.SETUPS, [])
    label = _("Compare") if not slots else _("Compare {count}").format(count=len(slots) + 1)
    with st.popover(label):
        st.caption(
            _(
                "One run forecasts the same candles with each setup. Setup A is the form; the others differ from it as "
                "set here."
            )
        )
        for letter, slot in zip(string.ascii_uppercase[1:], slots, strict=False):
            _render_slot(letter, slot)
        if len(slots) < MOST_SETUPS - 1:
            st.button(_("Add a setup"), icon=":material/add:", key="forecast.setup.add", on_click=_add, width="stretch")


def _render_slot(letter: str, slot: int) -> None:
    statuses = offered()
    label = label_names(statuses)
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            title = _("Setup {letter}").format(letter=letter)
            st.markdown(f"**{title}**", width="content")
            st.button(
                _("Remove"), icon=":material/close:", type="tertiary", key=_key("remove", slot), on_click=_remove,
                args=(slot,),
            )  # fmt: skip
        grid = st.grid(2, min_column_width=NARROWEST_FIELD)
        with grid.container():
            render_select(_key("model", slot), _("Model"), {name: label(name) for name in statuses})
        with grid.container():
            names = {name: state.say(label) for name, label in SAMPLINGS.items()}
            sampling = render_select(_key("sampling", slot), _("Sampling"), names)
        if sampling == OWN:
            _render_own_values(slot)


def _render_own_values(slot: int) -> None:
    """Render sampling settings that begin with those of the form."""
    fields = RequestFields(ForecastSetup, f"{keys.SETUP}.{slot}", setup.LABELS)
    for name in (*NUMBERS, DRIFTLESS):
        state.default(fields.key(name), st.session_state[f"forecast.{name}"])
    grid = st.grid(2, min_column_width=NARROWEST_FIELD)
    for name in NUMBERS:
        fields.number(grid.container(), name, setup.STEPS.get(name, 1))
    st.toggle(_("Zero drift"), key=fields.key(DRIFTLESS), persist_state="session")


def requests_of_setups(request: ForecastRequest) -> list[ForecastRequest]:
    """Return the request of the form and one for each further setup."""
    slots: list[int] = st.session_state.get(keys.SETUPS, [])
    return [request, *(ForecastRequest.build(request.model_dump() | _changes(slot)) for slot in slots)]


def _changes(slot: int) -> dict[str, Any]:
    """Return the fields in which a setup differs from the form; a recommendation is that of its own model."""
    model, sampling = (st.session_state[_key(name, slot)] for name in ("model", "sampling"))
    if sampling == OWN:
        return {"model": model, **{name: st.session_state[_key(name, slot)] for name in (*NUMBERS, DRIFTLESS)}}
    if sampling == FORM:
        sampling = st.session_state[keys.PRESET]
        if sampling not in LABELS:
            return {"model": model}
    return {"model": model, **preset_settings(sampling, desk().models.spec(model))}


def _add() -> None:
    """Add a setup: another model that is ready, else another preset."""
    slots: list[int] = st.session_state[keys.SETUPS]
    slot = max(slots, default=0) + 1
    models, samplings = ({st.session_state[_key(name, other)] for other in slots} for name in ("model", "sampling"))
    samplings.add(st.session_state[keys.PRESET])
    ready = [status.name for status in offered().values() if status.downloaded or status.bundled]
    other = next((name for name in ready if name not in models | {state.model()}), None)
    preset = next((name for name in SUGGESTED if name not in samplings), FORM)
    st.session_state[_key("model", slot)] = other or state.model()
    st.session_state[_key("sampling", slot)] = FORM if other else preset
    st.session_state[keys.SETUPS] = [*slots, slot]


def _remove(slot: int) -> None:
    st.session_state[keys.SETUPS] = [other for other in st.session_state[keys.SETUPS] if other != slot]


def _key(name: str, slot: int) -> str:
    return state.joined(keys.SETUP, str(slot), name)


def addresses(submissions: Sequence[Submission]) -> list[str]:
    """Return the entries of the address for the forecasts of a run, and for the jobs of those that are computed."""
    return [answer.forecast_id or f"{JOB}{answer.job_id}" for answer in submissions]


def load_setups(forecasts: Sequence[StoredForecast]) -> None:
    """Set the setups besides that of the form to the models and sampling settings of the first forecasts."""
    names, forecasts = offered(), forecasts[: MOST_SETUPS - 1]
    slots = range(1, len(forecasts) + 1)
    for slot, forecast in zip(slots, forecasts, strict=True):
        settings = {"driftless": False, **forecast.request, "sampling": OWN}
        if settings["model"] not in names:  # it was deleted
            settings["model"] = state.model()
        for name in ("model", "sampling", *NUMBERS, DRIFTLESS):
            st.session_state[_key(name, slot)] = settings[name]
    st.session_state[keys.SETUPS] = list(slots)


def render_setups_outcome() -> list[ForecastView]:
    """Return the forecasts of the setups in the address, whose comparison is rendered; none while one is computed.

    Their progress is rendered instead. A setup that failed is explained.
    """
    entries = st.query_params.get_all(PARAMETER)
    jobs = {entry: entry.removeprefix(JOB) for entry in entries if entry.startswith(JOB)}
    names = {
        jobs[entry]: f"{letter} · {desk().jobs.get(jobs[entry]).request['model']}"
        for letter, entry in zip(string.ascii_uppercase, entries, strict=False)
        if entry in jobs
    }
    results = job.await_results(names)
    if results is None:
        return []
    made = dict(zip(jobs, results, strict=True))
    entries = [made.get(entry) or entry for entry in entries]
    st.query_params[PARAMETER] = entries
    views = {
        letter: desk().forecasts.get(entry)
        for letter, entry in zip(string.ascii_uppercase, entries, strict=False)
        if not entry.startswith(JOB)
    }
    if len(views) > 1:
        render_comparison(list(views.values()), list(views))
    with st.container(horizontal=True):
        for letter, view in views.items():
            nav.link("forecast", _("Open {name}").format(name=letter), icon=":material/open_in_new:", forecast=view.id)
    return list(views.values())
