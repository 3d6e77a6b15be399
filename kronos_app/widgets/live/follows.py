"""The followed series, each with its state and its actions."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.live.views import FollowView
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.unreadable import render_unreadable
from kronos_app.widgets.live import keys

POLL_SECONDS = 5.0
COLOURS = {"on": "green", "running": "blue", "failing": "orange", "off": "gray"}


def render_follows() -> None:
    """Render one row per followed series; the page runs again when one has changed."""
    follows, unreadable = desk().following.list(), desk().following.unreadable()
    st.subheader(_("Followed series"))
    if not (follows or unreadable):
        st.caption(_("None yet. Follow one below."))
    for view in follows:
        _render_row(view)
    render_unreadable(unreadable, "live", desk().following.delete)
    if follows:
        st.session_state[keys.DRAWN] = follows
        _watch_changes()


@st.fragment(run_every=POLL_SECONDS)
def _watch_changes() -> None:
    """Run the page again once a check has started or ended; the fragment itself renders nothing."""
    with errors.render_errors():
        if desk().following.list() != st.session_state.get(keys.DRAWN):
            st.rerun()


def _render_row(view: FollowView) -> None:
    with st.container(border=True):
        words, actions = st.columns([5, 4], vertical_alignment="center")
        title = f"**{escape(view.symbol)}** · {escape(view.interval)} · {escape(view.source)} {_badge(view)}"
        words.markdown(f"{title}  \n:small[{escape(_describe(view))}]  \n:small[{escape(_describe_times(view))}]")
        with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            _render_actions(view)
        if view.error is not None and view.state != "off":
            count = _("consecutive failures: {count}").format(count=view.failures)
            message, hint = state.say(view.error.message), state.say(view.error.hint)
            st.warning(escape(f"{message} {hint} ({count})"), icon=":material/sync_problem:")


def _badge(view: FollowView) -> str:
    names = {"on": _("on"), "running": _("checking"), "failing": _("failing"), "off": _("paused")}
    return f":{COLOURS[view.state]}-badge[{names[view.state]}]"


def _describe(view: FollowView) -> str:
    parts = [
        str(view.settings["model"]),
        _("horizon {horizon} candles").format(horizon=view.settings["horizon"]),
        _("forecasts: {count}").format(count=formats.number(view.made, 0)),
    ]
    if view.last_candle:
        parts.append(_("last cutoff {time}").format(time=formats.time(view.last_candle)))
    return " · ".join(parts)


def _describe_times(view: FollowView) -> str:
    parts = [_("poll interval {span}").format(span=formats.span(view.cadence))]
    if view.last_run is not None:
        parts.append(_("last check {moment}").format(moment=formats.moment(view.last_run)))
    if view.active and view.next_run is not None:
        parts.append(_("next check {moment}").format(moment=formats.moment(view.next_run)))
    return " · ".join(parts)


def _render_actions(view: FollowView) -> None:
    if view.forecast_id is not None:
        nav.link("forecast", _("Open"), icon=":material/open_in_new:", forecast=view.forecast_id)
    following, key = desk().following, view.follow_id
    if view.active:
        disabled = view.state == "running"
        if st.button(_("Check now"), key=f"live.look.{key}", icon=":material/refresh:", disabled=disabled):
            _run_and_wake(lambda: following.check_now(key))
    label, icon = (_("Pause"), ":material/pause:") if view.active else (_("Resume"), ":material/play_arrow:")
    if st.button(label, key=f"live.switch.{key}", icon=icon):
        _run_and_wake(lambda: following.switch(key, not view.active))
    if st.button(_("Delete"), key=f"live.delete.{key}", icon=":material/delete:", type="tertiary"):
        confirm(
            _("Stop following {name}?").format(name=view.symbol),
            _("Its forecasts and their grades stay."),
            lambda: following.delete(key),
        )


def _run_and_wake(action: Callable[[], object]) -> None:
    with errors.render_errors():
        action()
        desk().keeper.wake()
        st.rerun()
