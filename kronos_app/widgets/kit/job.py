"""Background jobs on a page: progress, remaining time, cancel."""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kronos_app import nav, state
from kronos_app.i18n import Text, text
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors, formats

GRACE_SECONDS = 0.3  # a job that ends within this time shows no progress
# Running a fragment again costs the browser a tenth of a second, moving a bar very little: so one run updates the bar
# several times.
POLL_SECONDS = 2.0
LOOKS, LOOK_SECONDS = 5, 0.35

ENDS = {"succeeded": text("finished"), "failed": text("failed"), "cancelled": text("cancelled")}
COUNTED = {"fetch", "query"}  # kinds of job whose total is not known in advance


def await_result(job_id: str, *, hold: bool = True) -> str | None:
    """Return the id of a job's result if it has ended, else render its progress until it ends.

    The page then runs again and gets the result here. What it renders below waits for a short job with `hold`.
    """
    results = await_results({job_id: ""}, hold=hold)
    return results[0] if results else None


def await_results(names: Mapping[str, str], *, hold: bool = True) -> list[str | None] | None:
    """Return the ids of the results of jobs once all have ended, else render their progress and return None.

    Parameters
    ----------
    names
        What stands before the progress of a job, by job id; empty for a single job.

    A job that failed or was cancelled has no result; the reason is rendered.
    """
    end = time.monotonic() + GRACE_SECONDS
    jobs = [desk().jobs.wait(job_id, max(0.0, end - time.monotonic())) for job_id in names]
    if not any(job.active for job in jobs):
        for job in jobs:
            _render_end(job)
        return [job.result_id for job in jobs]
    with st.container(border=True):
        place = st.container()
        st.caption(_("You may close this page: the job continues, and this address shows the result."))
        # outside the fragment: a button inside would have to wait for the end of its run
        if st.button(_("Cancel"), key=f"{jobs[0].kind}.cancel.{jobs[0].id}", icon=":material/stop_circle:"):
            for job in jobs:
                desk().jobs.cancel(job.id)
        with place:
            _follow_progress(names, 0.0 if hold else time.monotonic() + POLL_SECONDS / 2)
    return None


@st.fragment(run_every=POLL_SECONDS)
def _follow_progress(names: Mapping[str, str], released_until: float) -> None:
    """Render the progress several times, but only once in the run of the page that ends before `released_until`."""
    looks = 0 if time.monotonic() < released_until else LOOKS
    with errors.render_errors():
        places = {job_id: st.empty() for job_id in names}
        for look in range(looks + 1):
            jobs = [desk().jobs.get(job_id) for job_id in names]
            active = [job for job in jobs if job.active]
            if not active:
                st.rerun()
            for job in jobs:
                _render_progress(places[job.id], job, names[job.id])
            if look < looks:
                desk().jobs.wait(active[0].id, LOOK_SECONDS)


def _render_progress(place: DeltaGenerator, job: Job, name: str) -> None:
    description = " · ".join(filter(None, (name, _describe(job))))
    if job.kind in COUNTED:
        place.markdown(":material/downloading: " + errors.escape(description))
    else:
        place.progress(job.progress, text=errors.escape(description))


def _render_end(job: Job) -> None:
    if job.status == "failed" and job.error is not None:
        errors.render_error(Text.from_dict(job.error["message"]), Text.from_dict(job.error["hint"]))
    elif job.status == "cancelled":
        messages = {
            "refresh": _("The refresh was cancelled. Candles fetched so far are stored."),
            "upload": _("Saving these series was cancelled. None was saved."),
            **dict.fromkeys(COUNTED, _("The fetch was cancelled. Nothing was stored.")),
        }
        st.info(messages.get(job.kind, _("The forecast was cancelled. Nothing was stored.")), icon=":material/cancel:")


def _describe(job: Job) -> str:
    request = job.request
    if job.status in ENDS:
        return state.say(ENDS[job.status])
    if job.status == "queued":
        return _("Queued")
    if job.kind == "fetch":
        count = _("{count} candles so far").format(count=formats.number(job.done, 0))
        return f"{request['symbol']} · {request['interval']} · {count}"
    if job.kind == "query":
        count = _("{count} rows so far").format(count=formats.number(job.done, 0))
        return " · ".join(filter(None, (request["connection"], request["table"], request["symbol"], count)))
    if job.kind == "refresh":
        return _("{done} of {total} series are up to date").format(done=job.done, total=len(request["entries"]))
    if job.kind == "upload":
        return _("{done} of {total} series are ready to be saved").format(done=job.done, total=request["series"])
    if not job.total:
        return _("Loading the model")
    done = _("Step {done} of {total}").format(done=job.done, total=job.total)
    if job.remaining is None:
        return done
    return done + " · " + _("about {time} left").format(time=formats.remaining(job.remaining))


def render_active_jobs() -> None:
    """Render each forecast that is queued or running with its progress, which moves until all have ended."""
    active = _active_forecasts()
    if active:
        st.subheader(_("Running"))
        _follow_active([job.id for job in active])


@st.fragment(run_every=POLL_SECONDS)
def _follow_active(shown: list[str]) -> None:
    """Render the jobs of the ids; the page runs again once one has begun or ended."""
    with errors.render_errors():
        active = _active_forecasts()
        if [job.id for job in active] != shown:
            st.rerun()
        for job in active:
            nav.link("forecast", _describe(job), icon=":material/hourglass_top:", job=job.id)
            st.progress(job.progress)


def _active_forecasts() -> list[Job]:
    return [job for job in desk().jobs.list(active_only=True) if job.kind == "forecast"]
