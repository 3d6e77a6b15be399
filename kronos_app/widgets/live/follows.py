"""The series that are followed, each with how it stands and what can be done about it."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.runtime import desk
from kronos_app.services.live.service import FollowStatus
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit.confirm import confirm
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.unreadable import render_unreadable

POLL_SECONDS = 5.0
COLOURS = {"on": "green", "running": "blue", "failing": "orange", "off": "gray"}


def draw() -> None:
    """Draw one row a follow, and the page anew when one has changed."""
    follows, unreadable = desk().following.list(), desk().following.unreadable()
    st.subheader(_("Followed series"))
    if not (follows or unreadable):
        st.caption(_("None yet. Follow one below."))
    for status in follows:
        _row(status)
    render_unreadable(unreadable, "live", desk().following.delete)
    if follows:
        st.session_state[state.LIVE_DRAWN] = _stamp(follows)
        _watch()


@st.fragment(run_every=POLL_SECONDS)
def _watch() -> None:
    """Run the page again once a look has begun or ended; the fragment itself draws nothing."""
    with errors.shown():
        if _stamp(desk().following.list()) != st.session_state.get(state.LIVE_DRAWN):
            st.rerun()


def _stamp(follows: list[FollowStatus]) -> list[tuple[object, ...]]:
    return [(one.follow.id, one.state, one.follow.made, one.follow.failures, one.follow.last_run) for one in follows]


def _row(status: FollowStatus) -> None:
    follow = status.follow
    with st.container(border=True):
        words, actions = st.columns([5, 4], vertical_alignment="center")
        with words:
            title = f"**{escape(follow.symbol)}** · {escape(follow.interval)} · {escape(follow.source)}"
            st.markdown(f"{title} {_badge(status)}  \n:small[{escape(_details(status))}]  \n:small[{_times(status)}]")
        with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            _actions(status)
        if follow.error is not None and status.state != "off":
            _failure(status)


def _badge(status: FollowStatus) -> str:
    names = {"on": _("on"), "running": _("looking"), "failing": _("failing"), "off": _("off")}
    return f":{COLOURS[status.state]}-badge[{names[status.state]}]"


def _details(status: FollowStatus) -> str:
    follow = status.follow
    return " · ".join(
        [
            str(follow.settings["model"]),
            _("{horizon} candles ahead").format(horizon=follow.settings["horizon"]),
            _("forecasts so far: {count}").format(count=formats.number(follow.made, 0)),
            *(
                [_("the last one from {time}").format(time=formats.time(follow.last_candle))]
                if follow.last_candle
                else []
            ),
        ]
    )


def _times(status: FollowStatus) -> str:
    follow = status.follow
    told = [_("looks every {span}").format(span=formats.span(follow.cadence))]
    if follow.last_run is not None:
        told.append(_("last look {moment}").format(moment=_moment(follow.last_run)))
    if follow.active and follow.next_run is not None:
        told.append(_("next look {moment}").format(moment=_moment(follow.next_run)))
    return escape(" · ".join(told))


def _moment(moment: datetime) -> str:
    return formats.moment(moment)


def _failure(status: FollowStatus) -> None:
    error = status.follow.error
    assert error is not None
    count = _("failed looks in a row: {count}").format(count=status.follow.failures)
    message, hint = (state.say(Text.from_dict(error[part])) for part in ("message", "hint"))
    st.warning(escape(f"{message} {hint} ({count})"), icon=":material/sync_problem:")


def _actions(status: FollowStatus) -> None:
    follow = status.follow
    if follow.forecast_id is not None:
        nav.link("forecast", _("Open"), icon=":material/open_in_new:", forecast=follow.forecast_id)
    if follow.active:
        disabled = status.state == "running"
        if st.button(_("Look now"), key=f"live.look.{follow.id}", icon=":material/refresh:", disabled=disabled):
            with errors.shown():
                desk().following.look(follow.id)
                desk().keeper.wake()
                st.rerun()
    label, icon = (_("Pause"), ":material/pause:") if follow.active else (_("Resume"), ":material/play_arrow:")
    if st.button(label, key=f"live.switch.{follow.id}", icon=icon):
        with errors.shown():
            desk().following.switch(follow.id, not follow.active)
            desk().keeper.wake()
            st.rerun()
    if st.button(_("Delete"), key=f"live.delete.{follow.id}", icon=":material/delete:", type="tertiary"):
        confirm(
            _("Follow {name} no more?").format(name=follow.symbol),
            _("Its forecasts and their grades stay."),
            lambda: desk().following.delete(follow.id),
        )
