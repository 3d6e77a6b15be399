"""The sidebar of every page: data set, model and device in use, language and colours, a disclaimer."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.charts.style import MARKET_COLOURS
from kronos_app.errors import NotFound
from kronos_app.i18n import LANGUAGES
from kronos_app.runtime import desk, loaded_device
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import names
from kronos_app.widgets.kit.chart_style import market_colours
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.glossary import render_glossary_button

WIDTH = 26  # of the sidebar, in Latin letters


def render_sidebar() -> None:
    """Render the sidebar."""
    st.caption(_("IN USE"))
    with st.container(gap="xsmall"):
        _render_line(_("Data set"), _candles_name() or _("none chosen"))
        _render_line(_("Model"), state.model())
        _render_line(_("Device"), loaded_device(state.model()) or state.device() or _("chosen when the model loads"))
    st.divider()
    st.selectbox(
        "Language / 语言",
        list(LANGUAGES),
        format_func=lambda code: LANGUAGES[code],
        index=list(LANGUAGES).index(state.language()),
        key=state.LANGUAGE + "_switch",
        on_change=_switch_language,
    )
    _render_colours()
    render_glossary_button()
    st.caption(_("For research. A forecast is a distribution of possible futures, not advice to buy or sell anything."))


def render_notices() -> None:
    """Render problems of the store and of the home folder, if there are any."""
    for notice, icon in ((desk().store.notice, "warning"), (desk().unwritable(), "folder_off")):
        if notice is not None:
            st.warning(escape(state.say(notice)), icon=f":material/{icon}:")


def _render_line(name: str, value: str) -> None:
    st.markdown(f":small[{name}]  \n:small[**{names.cut(value, WIDTH)}**]", help=names.whole(value, WIDTH))


def _candles_name() -> str | None:
    chosen = state.candles_id()
    if chosen is None:
        return None
    try:
        return desk().candles.info(chosen).title
    except NotFound:
        state.leave_candles(missing=True)
        return None


def _render_colours() -> None:
    key = state.MARKET_COLOURS + "_switch"
    st.session_state[key] = market_colours()  # the usual pair changes with the language
    labels = {name: state.say(colours.name) for name, colours in MARKET_COLOURS.items()}
    st.selectbox(
        _("Up/down colours"),
        list(labels),
        format_func=labels.__getitem__,
        key=key,
        on_change=_switch_colours,
    )


def _switch_colours() -> None:
    chosen = st.session_state[state.MARKET_COLOURS + "_switch"]
    st.session_state[state.MARKET_COLOURS] = chosen
    st.query_params["colours"] = chosen


def _switch_language() -> None:
    chosen = st.session_state[state.LANGUAGE + "_switch"]
    st.session_state[state.LANGUAGE] = chosen
    st.query_params["lang"] = chosen
