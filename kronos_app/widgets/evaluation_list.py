"""All evaluations, the newest first, each with how it stands and what can be done about it."""

from __future__ import annotations

import streamlit as st

from kronos_app import nav, state
from kronos_app.runtime import desk
from kronos_app.services.evaluation import EvaluationView
from kronos_app.widgets import errors, evaluation_words, paging
from kronos_app.widgets.confirm import confirm
from kronos_app.widgets.errors import escape, shown
from kronos_app.widgets.evaluation_form import EVALUATION

POLL_SECONDS = 2.0


def draw() -> None:
    """Draw one row an evaluation."""
    _ = state.gettext()
    found = desk().evaluations.list()
    if not found:
        st.info(_("Nothing was evaluated yet. Begin with New evaluation."), icon=":material/query_stats:")
    for one in paging.shown(found, state.EVALUATE_PAGE):
        _row(one)


def title(seen: EvaluationView) -> str:
    """Return the models and the candles of an evaluation."""
    _ = state.gettext()
    return _("{models} on {candles}").format(models=", ".join(seen.request.models), candles=seen.origin)


def _row(seen: EvaluationView) -> None:
    _ = state.gettext()
    with st.container(border=True):
        words, buttons = st.columns([5, 3], vertical_alignment="center")
        with words:
            st.markdown(
                f"**{escape(title(seen))}** {evaluation_words.badge(seen)}  \n"
                f":small[{escape(evaluation_words.details(seen))}]"
            )
        with buttons.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            nav.link("evaluate", _("Open"), icon=":material/open_in_new:", evaluation=seen.id)
            actions(seen)
        for told in seen.verdicts.values():
            st.markdown(f":small[{escape(state.say(told))}]")
        if seen.active:
            progress(seen.id, seen.state)
        if seen.error is not None and seen.state == "failed":
            st.caption(":red[:material/error:] " + escape(state.say(seen.error)))


def actions(seen: EvaluationView) -> None:
    """Draw what can be done about an evaluation."""
    _ = state.gettext()
    if seen.active:
        if st.button(_("Cancel"), key=f"evaluate.cancel.{seen.id}", icon=":material/stop_circle:"):
            with shown():
                desk().evaluations.cancel(seen.id)
                st.rerun()
    elif seen.state != "finished" and st.button(
        _("Resume"), key=f"evaluate.resume.{seen.id}", icon=":material/play_arrow:"
    ):
        with shown():
            desk().evaluations.resume(seen.id)
            st.rerun()
    if st.button(_("Delete"), key=f"evaluate.delete.{seen.id}", icon=":material/delete:", type="tertiary"):
        confirm(
            _("Delete the evaluation {name}?").format(name=title(seen)),
            _("Its scores are gone; models and candles stay."),
            lambda: _delete(seen.id),
        )


def _delete(evaluation_id: str) -> None:
    desk().evaluations.delete(evaluation_id)
    st.query_params.pop(EVALUATION, None)


@st.fragment(run_every=POLL_SECONDS)
def progress(evaluation_id: str, drawn: str) -> None:
    """Draw how far an evaluation is, and the page anew once its state is another than drawn."""
    with errors.shown():
        seen = desk().evaluations.get(evaluation_id)
        if seen.state != drawn:
            st.rerun()
        st.progress(seen.progress, text=evaluation_words.sentence(seen))
