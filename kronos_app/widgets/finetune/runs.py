"""The list of runs, newest first, with state, scores and buttons."""

from __future__ import annotations

import streamlit as st

from kronos_app import state
from kronos_app.runtime import desk
from kronos_app.services.finetune.views import RunView
from kronos_app.state import gettext as _
from kronos_app.widgets.finetune import keys, words
from kronos_app.widgets.finetune.actions import render_actions
from kronos_app.widgets.kit import errors, formats, paging
from kronos_app.widgets.kit.errors import escape
from kronos_app.widgets.kit.unreadable import render_unreadable

POLL_SECONDS = 2.0


def render_runs() -> None:
    """Render one row for each run."""
    runs, unreadable = desk().tuning.list(), desk().tuning.unreadable()
    if not (runs or unreadable):
        st.info(_("There is no run yet. Start with New run."), icon=":material/model_training:")
    for run in paging.choose_rows(runs, keys.PAGE):
        _row(run)
    render_unreadable(unreadable, "finetune", desk().tuning.discard)


def _row(run: RunView) -> None:
    with st.container(border=True):
        description, actions = st.columns([5, 4], vertical_alignment="center")
        with description:
            st.markdown(
                f"**{escape(run.name)}** {words.badge(run)}  \n"
                f":small[{escape(words.details(run))}]  \n:small[{escape(summary(run))}]"
            )
        with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            render_actions(run)
        if run.active:
            _progress(run.id, (run.state, run.phase))
        if run.error is not None and run.state == "failed":
            st.caption(":red[:material/error:] " + escape(state.say(run.error)))


@st.fragment(run_every=POLL_SECONDS)
def _progress(run_id: str, drawn: tuple[str, str]) -> None:
    """Render the progress; rerun the page when state or phase are no longer as in `drawn`."""
    with errors.render_errors():
        run = desk().tuning.get(run_id)
        if (run.state, run.phase) != drawn:
            st.rerun()
        st.progress(run.progress, text=describe_progress(run))


def describe_progress(run: RunView) -> str:
    """Return phase, step and remaining time of a run."""
    if run.state == "queued":
        return _("Queued; position: {place}").format(place=run.queue_position or 1)
    parts = [state.say(words.PHASES[run.phase])]
    if run.steps:
        parts.append(_("Step {done} of {total}").format(done=run.step, total=run.steps))
    if run.remaining is not None:
        parts.append(_("about {time} left").format(time=formats.remaining(run.remaining)))
    return " · ".join(parts)


def summary(run: RunView) -> str:
    """Return progress and scores of a run in one line."""
    scores = run.scores or {}
    tuned, base = scores.get("tuned"), scores.get("base")
    parts = []
    if tuned is None or run.state != "finished":
        parts.append(_("{share} done").format(share=formats.percent(run.progress, 0)))
    if tuned is None:
        return parts[0]
    if base and base.get("crps") and tuned.get("crps") is not None:
        ratio = formats.number(tuned["crps"] / base["crps"], 3)
        parts.append(_("CRPS ratio to the base model: {ratio}").format(ratio=ratio))
    parts.append(_("90 % band covers {share}").format(share=formats.percent(tuned.get("coverage_90"), 0)))
    if run.registered:
        parts.append(_("registered as {names}").format(names=", ".join(run.registered)))
    return " · ".join(parts)
