"""Questions that a form puts to a market source or a database: each once, not at every click."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError
from kronos_app.state import gettext as _
from kronos_app.widgets.kit import errors

Answer = TypeVar("Answer")
Question = tuple[Hashable, ...]

ANSWERS_KEPT = 60  # of a visitor


def asked(question: Question, ask: Callable[[], Answer], *, meanwhile: str, again: bool = True) -> Answer | None:
    """Return the answer to a question; a failure is kept like an answer, and told.

    Parameters
    ----------
    meanwhile
        What is said while the answer is awaited.
    again
        Offer to ask again after a failure.
    """
    answers: dict[Question, Answer | AppError] = st.session_state.setdefault(state.ANSWERS, {})
    if question not in answers:
        while len(answers) >= ANSWERS_KEPT:
            del answers[next(iter(answers))]
        with st.spinner(meanwhile):
            try:
                answers[question] = ask()
            except AppError as error:
                answers[question] = error
    answer = answers[question]
    if not isinstance(answer, AppError):
        return answer
    errors.show(answer.message, answer.hint)
    key = state.joined(state.ASK_AGAIN, *map(str, question))
    if again and st.button(_("Ask again"), key=key, icon=":material/refresh:"):
        forget(question)
        st.rerun()
    return None


def forget(question: Question) -> None:
    """Ask a question anew when it comes again."""
    st.session_state.get(state.ANSWERS, {}).pop(question, None)
