"""The registration of the model of a run, and its use in forecasts."""

from __future__ import annotations

import re

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.finetune.run import TuneRun
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import keys
from kronos_app.widgets.kit import errors
from kronos_app.widgets.kit.errors import escape

LONGEST_NAME, LONGEST_NOTE = 40, 200


def render_registration(run: TuneRun) -> None:
    """Render the form, or the registered versions."""
    if run.registered:
        _registered(run)
    else:
        with st.popover(
            _("Register this model"), icon=":material/inventory_2:", type="primary", key="finetune.register"
        ):
            _form(run)


def _form(run: TuneRun) -> None:
    st.caption(
        _(
            "Saves the model under a name and a version for Forecast, Live and the API. The run may be "
            "deleted afterwards."
        )
    )
    name_key, note_key = f"{keys.NAME}.{run.id}", f"{keys.NOTE}.{run.id}"
    state.default(name_key, suggested(run.name))
    name = st.text_input(
        _("Name of the model"),
        key=name_key,
        max_chars=LONGEST_NAME,
        help=_("Small letters, digits and hyphens. A name there is gets its next version."),
    )
    note = st.text_input(_("Note"), key=note_key, max_chars=LONGEST_NOTE, placeholder=_("purpose, changes"))
    if st.button(_("Register"), type="primary", icon=":material/check:", key=f"finetune.register.{run.id}"):
        with errors.render_errors():
            model = desk().registry.register(run.id, name.strip(), note)
            st.toast(_("Registered as {name}.").format(name=f"{model.name}@{model.version}"), icon=":material/check:")
            st.rerun()


def suggested(name: str) -> str:
    """Return a name for a model from the name of its run."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME] or "model"


def _registered(run: TuneRun) -> None:
    newest = run.registered[-1]
    message, actions = st.columns([5, 3], vertical_alignment="center")
    sentence = _("Registered as {names}. Forecast, Live and the API list it.")
    message.success(escape(sentence.format(names=", ".join(run.registered))), icon=":material/inventory_2:")
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        if st.button(
            _("Forecast with it"), type="primary", icon=":material/candlestick_chart:", key=f"finetune.use.{run.id}"
        ):
            state.use_model(newest)
            nav.go("forecast")
        nav.link("models", _("Versions"), icon=":material/inventory_2:")
