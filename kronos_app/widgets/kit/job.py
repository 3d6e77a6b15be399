"""Background work as people see it: progress, time to wait, cancel."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kronos_app import nav
from kronos_app.i18n import Text
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors, formats

# Work that ends within this time is not worth announcing.
GRACE_SECONDS = 0.3
# A fragment that runs again costs the browser a tenth of a second, which the work may be in need of; a bar that moves
# costs it little. So a run lasts a while and looks often.
POLL_SECONDS = 2.0
LOOKS, LOOK_SECONDS = 5, 0.35

# Work of which nobody knows beforehand how much there is.
COUNTED = {"fetch", "query"}


def follow(job_id: str) -> str | None:
    """Return the id of a job's result where there is one by now, else draw the job until it ends.

    Then the page runs again, and finds the result here.
    """
    job = desk().jobs.wait(job_id, GRACE_SECONDS)
    if not job.active:
        _draw_ended(job)
        return job.result_id
    with st.container(border=True):
        place = st.container()
        st.caption(_("You may leave or close this page: the work goes on, and this address shows the result."))
        # Outside the fragment: a button inside would have to wait for the end of its run.
        if st.button(_("Cancel"), key=f"{job.kind}.cancel.{job.id}", icon=":material/stop_circle:"):
            desk().jobs.cancel(job.id)
        with place:
            _follow_progress(job_id)
    return None


@st.fragment(run_every=POLL_SECONDS)
def _follow_progress(job_id: str) -> None:
    with errors.shown():
        place = st.empty()
        _draw_progress(place, desk().jobs.get(job_id))
        for _look in range(LOOKS):
            job = desk().jobs.wait(job_id, LOOK_SECONDS)
            if not job.active:
                st.rerun()
            _draw_progress(place, job)


def _draw_progress(place: DeltaGenerator, job: Job) -> None:
    """Draw how far the work is: a fetch counts its candles, and nobody knows how many will come."""
    if job.kind in COUNTED:
        place.markdown(":material/downloading: " + errors.escape(_sentence(job)))
    else:
        place.progress(job.progress, text=_sentence(job))


def _draw_ended(job: Job) -> None:
    if job.status == "failed" and job.error is not None:
        errors.show(Text.from_dict(job.error["message"]), Text.from_dict(job.error["hint"]))
    elif job.status == "cancelled":
        told = _("This fetch was cancelled. Nothing was kept of it.") if job.kind in COUNTED else None
        if job.kind == "refresh":
            told = _("Bringing series up to date was cancelled. What was fetched until then is kept.")
        if job.kind == "upload":
            told = _("Saving these series was cancelled. None of them was saved.")
        told = told or _("This forecast was cancelled. Nothing was kept of it.")
        st.info(told, icon=":material/cancel:")


def _sentence(job: Job) -> str:
    if job.status == "queued":
        return _("Waiting for the work before it to finish")
    if job.kind == "fetch":
        count = _("{count} candles so far").format(count=formats.number(job.done, 0))
        return f"{job.request['symbol']} · {job.request['interval']} · {count}"
    if job.kind == "query":
        count = _("{count} rows so far").format(count=formats.number(job.done, 0))
        return " · ".join(filter(None, (job.request["connection"], job.request["table"], job.request["symbol"], count)))
    if job.kind == "refresh":
        return _("{done} of {total} series are up to date").format(done=job.done, total=len(job.request["entries"]))
    if job.kind == "upload":
        return _("{done} of {total} series are ready to be saved").format(done=job.done, total=job.request["series"])
    if not job.total:
        return _("Loading the model")
    done = _("Step {done} of {total}").format(done=job.done, total=job.total)
    if job.remaining is None:
        return done
    return done + " · " + _("about {time} left").format(time=formats.remaining(job.remaining))


def draw_active() -> None:
    """Draw a link to each forecast in the making, nothing where there is none."""
    active = [job for job in desk().jobs.list(active_only=True) if job.kind == "forecast"]
    if active:
        st.subheader(_("In the making"))
    for job in active:
        nav.link("forecast", _sentence(job), icon=":material/hourglass_top:", job=job.id)
