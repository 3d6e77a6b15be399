"""Series that are saved together: the job that saves them, which outlives the page, and its result."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.services.candles.uploads import KIND, SavedSeries
from kronos_app.state import gettext as _
from kronos_app.widgets.candles import keys
from kronos_app.widgets.kit import errors, formats
from kronos_app.widgets.kit import job as jobs

REFUSALS_SHOWN = 10


def find_job() -> Job | None:
    """Return the upload job in the address, None where it has another job or none."""
    job_id = st.query_params.get("job")
    with suppress(AppError):  # the widget that follows the job shows what is wrong with it
        job = None if job_id is None else desk().jobs.get(job_id)
        return job if job is not None and job.kind == KIND else None
    return None


def follow_job(saving: Job) -> None:
    """Put a job into the address, so that the page follows it, also when it is opened again."""
    st.query_params["job"] = saving.id


def render_job() -> None:
    """Render the progress of the job in the address, or its result."""
    saving = find_job()
    if saving is None or jobs.await_result(saving.id) is None:
        return
    saved = desk().uploads.saved(desk().jobs.get(saving.id))
    if saved.ids and last_saved() != saved.ids:
        st.session_state[keys.KEPT_JOB] = saved.ids
        use_first(saved)
        st.rerun()  # the sidebar, drawn before, must say what is in use
    render_saved(saved)


def last_saved() -> tuple[str, ...]:
    """Return the ids of the candle sets that a job saved for this session last."""
    return tuple(st.session_state.get(keys.KEPT_JOB, ()))


def use_first(saved: SavedSeries) -> None:
    """Use the first candle set unless one of them is in use."""
    if saved.ids and state.candles_id() not in saved.ids:
        state.use_candles(saved.ids[0])


def render_saved(saved: SavedSeries) -> None:
    """Render how many series were saved, and which could not be."""
    if saved.ids:
        words = _("{count} data sets were saved. Choose one of them below, or on the Forecast page.")
        st.success(words.format(count=formats.number(len(saved.ids), 0)), icon=":material/check_circle:")
    if saved.refused:
        lines = [f"- **{errors.escape(name)}**: {errors.escape(state.say(why))}" for name, why in saved.refused]
        more = len(lines) - REFUSALS_SHOWN
        rest = [_("and {count} more").format(count=more)] if more > 0 else []
        st.warning("\n".join([_("These could not be saved:"), "", *lines[:REFUSALS_SHOWN], *rest]))
