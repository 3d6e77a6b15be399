"""Requests of a form to a source or database, sent once and not at every click; jobs that the address names."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError
from kronos_app.jobs import Job
from kronos_app.runtime import desk
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors

Answer = TypeVar("Answer")
Question = tuple[Hashable, ...]

MOST_ANSWERS = 60  # stored per session


def ask_once(question: Question, ask: Callable[[], Answer], *, waiting: str, retry: bool = True) -> Answer | None:
    """Return the stored answer to a question, or ask; an error is stored too, and rendered.

    `waiting` is shown meanwhile; with `retry`, an error has a button to ask again.
    """
    answers: dict[Question, Answer | AppError] = st.session_state.setdefault(state.ANSWERS, {})
    if question not in answers:
        while len(answers) >= MOST_ANSWERS:
            del answers[next(iter(answers))]
        with st.spinner(waiting):
            try:
                answers[question] = ask()
            except AppError as error:
                answers[question] = error
    answer = answers[question]
    if not isinstance(answer, AppError):
        return answer
    errors.render_error(answer.message, answer.hint)
    key = state.joined(state.ASK_AGAIN, *map(str, question))
    if retry and st.button(_("Try again"), key=key, icon=":material/refresh:"):
        forget(question)
        st.rerun()
    return None


def forget(question: Question) -> None:
    """Remove the stored answer to a question."""
    st.session_state.get(state.ANSWERS, {}).pop(question, None)


def find_new_job(kind: str, key: str) -> Job | None:
    """Return the job of a kind that the address names, only on its first run in this session (stored under `key`)."""
    job_id = st.query_params.get("job")
    if job_id is None or st.session_state.get(key) == job_id:
        return None
    st.session_state[key] = job_id
    with suppress(AppError):  # The code that follows the job renders its error.
        job = desk().jobs.get(job_id)
        return job if job.kind == kind else None
    return None


def name_job(job_id: str, key: str, parameter: str = "job") -> None:
    """Put a new job into the address, and note that its form is this session's already."""
    st.session_state[key] = job_id
    st.query_params[parameter] = job_id
