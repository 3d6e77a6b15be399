"""Series that are saved together: by a job that outlives the page, and what was saved of them and what not."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.services.candles.uploads import KIND, SavedSeries
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors, formats, job

REFUSALS_SHOWN = 10


def current() -> Job | None:
    """Return the job of saving series that the address names, None where it names another or none."""
    job_id = st.query_params.get("job")
    with suppress(AppError):  # Whoever follows the job says what is wrong with it.
        asked = None if job_id is None else desk().jobs.get(job_id)
        return asked if asked is not None and asked.kind == KIND else None
    return None


def follow(saving: Job) -> None:
    """Name a job in the address, so that the page follows it, also when it is opened again."""
    st.query_params["job"] = saving.id


def draw() -> None:
    """Draw the progress of the job that the address names, or its result."""
    saving = current()
    if saving is None or job.follow(saving.id) is None:
        return
    saved = desk().uploads.saved(desk().jobs.get(saving.id))
    if saved.ids and last_saved() != saved.ids:
        st.session_state[state.DATA_KEPT_JOB] = saved.ids
        use_first(saved)
        st.rerun()  # the sidebar, drawn before, must say what is in use
    draw_saved(saved)


def last_saved() -> tuple[str, ...]:
    """Return the ids of the candle sets that a job saved for this session last."""
    return tuple(st.session_state.get(state.DATA_KEPT_JOB, ()))


def use_first(saved: SavedSeries) -> None:
    """Use the first candle set unless one of them is in use."""
    if saved.ids and state.candles_id() not in saved.ids:
        state.use_candles(saved.ids[0])


def draw_saved(saved: SavedSeries) -> None:
    """Draw how many series were saved, and which could not be."""
    if saved.ids:
        said = _("{count} data sets were kept. Choose one of them below, or on the Forecast page.")
        st.success(said.format(count=formats.number(len(saved.ids), 0)), icon=":material/check_circle:")
    if saved.refused:
        lines = [f"- **{errors.escape(name)}**: {errors.escape(state.say(why))}" for name, why in saved.refused]
        more = len(lines) - REFUSALS_SHOWN
        rest = [_("and {count} more").format(count=more)] if more > 0 else []
        st.warning("\n".join([_("These could not be kept:"), "", *lines[:REFUSALS_SHOWN], *rest]))
