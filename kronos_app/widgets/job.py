"""Background work as people see it: progress, time to wait, cancel."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kronos_app import nav, state
from kronos_app.i18n import Text
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.widgets import errors, formats

POLL_SECONDS = 1.0


def follow(job_id: str, on_success: Callable[[str], None]) -> None:
    """Draw a job until it ends; then call `on_success` with its result's id and run the page again."""
    polled = POLL_SECONDS if desk().jobs.get(job_id).active else None

    @st.fragment(run_every=polled)
    def draw() -> None:
        with errors.shown():
            job = desk().jobs.get(job_id)
            if job.status == "succeeded" and job.result_id is not None:
                on_success(job.result_id)
                st.rerun()
            _draw(job)
            if polled is not None and not job.active:
                st.rerun()

    draw()


def _draw(job: Job) -> None:
    _ = state.gettext()
    if job.status == "failed" and job.error is not None:
        errors.show(Text.from_dict(job.error["message"]), Text.from_dict(job.error["hint"]))
    elif job.status == "cancelled":
        st.info(_("This forecast was cancelled. Nothing was kept of it."), icon=":material/cancel:")
    elif job.active:
        with st.container(border=True):
            st.progress(job.progress, text=_sentence(job))
            st.caption(_("You may leave or close this page: the work goes on, and this address shows the result."))
            if st.button(_("Cancel"), key=f"forecast.cancel.{job.id}", icon=":material/stop_circle:"):
                desk().jobs.cancel(job.id)
                st.rerun()


def _sentence(job: Job) -> str:
    _ = state.gettext()
    if job.status == "queued":
        return _("Waiting for the work before it to finish")
    if not job.total:
        return _("Loading the model")
    done = _("Step {done} of {total}").format(done=job.done, total=job.total)
    if job.remaining is None:
        return done
    return done + " · " + _("about {time} left").format(time=formats.remaining(job.remaining))


def draw_active() -> None:
    """Draw a link to each forecast in the making, nothing where there is none."""
    _ = state.gettext()
    active = [job for job in desk().jobs.list(active_only=True) if job.kind == "forecast"]
    if active:
        st.subheader(_("In the making"))
    for job in active:
        nav.link("forecast", _sentence(job), icon=":material/hourglass_top:", job=job.id)
