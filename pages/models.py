"""Models: which there are, what each needs, and which are in memory."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.models.registry import RegisteredModel
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape, shown
from kronos_app.widgets.models import versions as tuning_models


def draw() -> None:
    st.title(_("Models"))
    st.markdown(
        _(
            "A model has a tokenizer, which turns candles into tokens, and a predictor, which continues them. "
            "Models that are not included are downloaded from the Hugging Face Hub when they are first loaded."
        )
    )
    device = _choose_device()
    statuses = desk().models.list()
    for status in statuses:
        if status.registered is None:
            _card(status, device)
    with shown():
        _made_here([status for status in statuses if status.registered], device)
    with st.expander(_("Without access to the Hub"), icon=":material/cloud_off:"):
        st.markdown(
            _(
                "Set the environment variable `HF_ENDPOINT` to a mirror and start the desk again, or put the files "
                "into `models/NAME/model` and `models/NAME/tokenizer` in this folder:"
            )
        )
        st.code(str(desk().settings.home), language=None)


def _made_here(statuses: Sequence[ModelStatus], device: str | None) -> None:
    """Draw the models that were fine-tuned and registered, those that are retired whole last."""
    tuning_models.render_unreadable_versions()
    registered = desk().registry.list()
    if not registered:
        return
    st.subheader(_("Made here"))
    for status in statuses:
        _card(status, device, [one for one in registered if one.name == status.name])
    on_offer = {status.name for status in statuses}
    for name in sorted({one.name for one in registered} - on_offer):
        with st.container(border=True):
            st.markdown(f"#### {name}")
            tuning_models.draw_versions([one for one in registered if one.name == name])
    tuning_models.draw_compare(registered)


def _choose_device() -> str | None:
    devices = ["", *desk().models.devices()]
    fastest = _("The fastest there is")
    chosen = st.selectbox(
        _("Device for loading"),
        devices,
        format_func=lambda name: name or fastest,
        index=devices.index(state.device() or "") if (state.device() or "") in devices else 0,
        width=320,
    )
    st.session_state[state.DEVICE] = chosen or None
    return chosen or None


def _card(status: ModelStatus, device: str | None, versions: Sequence[RegisteredModel] = ()) -> None:
    with st.container(border=True):
        words, actions = st.columns([5, 2], vertical_alignment="top")
        with words:
            st.markdown(f"#### {status.name} {_badges(status)}")
            st.markdown(escape(state.say(status.description)))
        with actions.container(horizontal=True, horizontal_alignment="right"):
            _actions(status, device)
        with st.container(horizontal=True, gap="medium"):
            for label, value in _facts(status).items():
                st.metric(label, value, width=150)
        st.caption(
            _("Tokenizer: {tokenizer}. Licence: {licence}.").format(
                tokenizer=escape(status.tokenizer), licence=escape(status.licence)
            )
        )
        tuning_models.draw_versions(versions)


def _badges(status: ModelStatus) -> str:
    badges = []
    if status.name == state.model():
        badges.append(("green", _("in use")))
    if status.registered is not None:
        badges.append(("blue", _("stands for {version}").format(version=status.registered)))
    elif status.bundled:
        badges.append(("blue", _("included")))
    elif status.downloaded:
        badges.append(("blue", _("downloaded")))
    else:
        badges.append(("gray", _("not downloaded")))
    if status.loaded:
        badges.append(("violet", _("in memory")))
    return " ".join(f":{colour}-badge[{word}]" for colour, word in badges)


def _facts(status: ModelStatus) -> dict[str, str]:
    memory = formats.size(status.memory_bytes)
    return {
        _("Parameters"): formats.compact(status.parameters),
        _("Context"): _("{count} candles").format(count=formats.number(status.context, 0)),
        _("Memory"): memory if status.loaded else _("about {size}").format(size=memory),
        _("Device"): status.device or formats.MISSING,
        _("Load time"): formats.MISSING
        if status.load_seconds is None
        else _("{seconds} s").format(seconds=formats.number(status.load_seconds, 1)),
    }


def _actions(status: ModelStatus, device: str | None) -> None:
    with shown():
        if st.button(
            _("Use"),
            key=f"models.use.{status.name}",
            disabled=status.name == state.model(),
            help=_("Forecast with this model from now on."),
        ):
            state.use_model(status.name)
            st.rerun()
        if status.loaded:
            if st.button(_("Unload"), key=f"models.unload.{status.name}"):
                desk().models.unload(status.name)
                st.rerun()
        elif st.button(_("Load"), key=f"models.load.{status.name}"):
            with st.spinner(_("Loading {name}…").format(name=status.name)):
                desk().models.load(status.name, device)
            st.rerun()


draw()
