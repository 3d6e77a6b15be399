"""Errors on a page: what is wrong and what to do, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from kronos_app import state
from kronos_app.errors import AppError, disk_error
from kronos_app.i18n import Text
from kronos_app.state import gettext as _


@contextmanager
def render_errors() -> Iterator[None]:
    """Render an `AppError` raised inside, and continue after it."""
    try:
        yield
    except AppError as error:
        render_error(error.message, error.hint)
    except OSError as error:
        problem = disk_error(error)
        if problem is None:
            raise
        render_error(problem.message, problem.hint)


def render_error(message: Text, hint: Text) -> None:
    """Render a message and its hint."""
    advice = state.say(hint)
    st.error(escape(state.say(message)) + (f"\n\n{escape(advice)}" if advice else ""), icon=":material/error:")


def show_unexpected(error: Exception) -> bool:
    """Render a message for an unexpected error; its traceback goes to the log only."""
    import logging

    logging.getLogger("kronos_app.pages").error("A page failed", exc_info=error)
    st.error(
        _("An unexpected error occurred on this page. Saved data is not lost.")
        + "\n\n"
        + _("Reload the page; if the error occurs again, send the server log to the administrator."),
        icon=":material/error:",
    )
    return True


def escape(plain: str) -> str:
    """Return text with the special characters of Markdown escaped: messages may quote a file."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>#|~$:" else c for c in plain)
