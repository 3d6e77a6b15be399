"""All backtests, the newest first, each with how it stands and what can be done about it."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.backtest import BacktestView
from kronos_app.widgets import backtest_form, backtest_words, errors, paging
from kronos_app.widgets.confirm import confirm
from kronos_app.widgets.errors import escape, shown

POLL_SECONDS = 2.0


def draw() -> None:
    """Draw one row a backtest."""
    _ = state.gettext()
    found = desk().backtests.list()
    if not found:
        st.info(_("Nothing was traded yet. Begin with New backtest."), icon=":material/finance:")
    for one in paging.shown(found, state.BACKTEST_PAGE):
        _row(one)


def title(seen: BacktestView) -> str:
    """Return the model and the candles of a backtest."""
    _ = state.gettext()
    return _("{models} on {candles}").format(models=seen.request.model, candles=seen.origin)


def _row(seen: BacktestView) -> None:
    _ = state.gettext()
    with st.container(border=True):
        words, buttons = st.columns([5, 3], vertical_alignment="center")
        with words:
            st.markdown(
                f"**{escape(title(seen))}** {backtest_words.badge(seen)}  \n"
                f":small[{escape(backtest_words.details(seen))}]"
            )
        with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            nav.link("backtest", _("Open"), icon=":material/open_in_new:", backtest=seen.id)
            actions(seen)
        if seen.verdict is not None:
            st.markdown(f":small[{escape(state.say(seen.verdict))}]")
        if seen.active:
            progress(seen.id, seen.state)
        if seen.error is not None and seen.state == "failed":
            st.caption(":red[:material/error:] " + escape(state.say(seen.error)))


def actions(seen: BacktestView) -> None:
    """Draw what can be done about a backtest."""
    _ = state.gettext()
    if seen.active:
        if st.button(_("Cancel"), key=f"backtest.cancel.{seen.id}", icon=":material/stop_circle:"):
            with shown():
                desk().backtests.cancel(seen.id)
                st.rerun()
    elif seen.state != "finished" and st.button(
        _("Resume"), key=f"backtest.resume.{seen.id}", icon=":material/play_arrow:"
    ):
        with shown():
            desk().backtests.resume(seen.id)
            st.rerun()
    if st.button(_("Change and run again"), key=f"backtest.again.{seen.id}", icon=":material/edit:", type="tertiary"):
        backtest_form.adopt(seen.request)
        st.session_state[state.BACKTEST_VIEW] = "new"
        nav.go("backtest")
    if st.button(_("Delete"), key=f"backtest.delete.{seen.id}", icon=":material/delete:", type="tertiary"):
        confirm(
            _("Delete the backtest {name}?").format(name=title(seen)),
            _("Its signals and results are gone; models and candles stay."),
            lambda: _delete(seen.id),
        )


def _delete(backtest_id: str) -> None:
    desk().backtests.delete(backtest_id)
    st.query_params.pop(backtest_form.BACKTEST, None)


@st.fragment(run_every=POLL_SECONDS)
def progress(backtest_id: str, drawn: str) -> None:
    """Draw how far a backtest is, and the page anew once its state is another than drawn."""
    with errors.shown():
        seen = desk().backtests.get(backtest_id)
        if seen.state != drawn:
            st.rerun()
        st.progress(seen.progress, text=backtest_words.sentence(seen))
