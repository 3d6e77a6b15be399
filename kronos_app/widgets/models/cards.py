"""Cards of models: description, size, state, and buttons to use and load them."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.models.service import ModelStatus
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import formats
from kronos_app.widgets.kit.errors import escape, render_errors
from kronos_app.widgets.models.facts import describe_period, describe_precisions, describe_revision


def render_device_field() -> str | None:
    """Render the choice of a device for loading and return it, None for the fastest."""
    fastest = _("Fastest available")
    devices = ["", *desk().models.devices()]
    current = state.device() or ""
    chosen = st.selectbox(
        _("Device for loading"),
        devices,
        format_func=lambda name: name or fastest,
        index=devices.index(current) if current in devices else 0,
        width=320,
    )
    st.session_state[state.DEVICE] = chosen or None
    return chosen or None


def render_card(status: ModelStatus, device: str | None) -> None:
    """Render the card of a model."""
    with st.container(border=True):
        words, actions = st.columns([5, 2], vertical_alignment="top")
        words.markdown(f"#### {status.name} {_badges(status)}")
        words.markdown(escape(state.say(status.description)))
        with actions.container(horizontal=True, horizontal_alignment="right"), render_errors():
            _render_actions(status, device)
        with st.container(horizontal=True, gap="medium"):
            for label, value in _facts(status).items():
                st.metric(label, value, width=150)
        origin = _("Tokenizer: {tokenizer}. Licence: {licence}.").format(
            tokenizer=escape(status.tokenizer), licence=escape(status.licence)
        )
        lines = (f"{origin} {describe_revision(status)}", describe_period(status), describe_precisions(status))
        st.caption("  \n".join(lines))


def _badges(status: ModelStatus) -> str:
    if status.registered is not None:
        source = ("blue", _("version {version}").format(version=status.registered))
    elif status.bundled:
        source = ("blue", _("included"))
    else:
        source = ("blue", _("downloaded")) if status.downloaded else ("gray", _("not downloaded"))
    badges = [
        *([("green", _("in use"))] if status.name == state.model() else []),
        source,
        *([("violet", _("in memory"))] if status.loaded else []),
    ]
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


def _render_actions(status: ModelStatus, device: str | None) -> None:
    if st.button(
        _("Use"),
        key=f"models.use.{status.name}",
        disabled=status.name == state.model(),
        help=_("Use this model for the next forecasts."),
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
