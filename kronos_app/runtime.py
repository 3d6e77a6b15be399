"""Access of pages to the desk, the services of this process."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kronos_app.callers import CALLER
from kronos_app.errors import AppError
from kronos_app.web.browser import HEADER

if TYPE_CHECKING:
    from kronos_app.services.desk import Desk
    from kronos_app.services.models.service import ModelService

# For the browser to load the first page undisturbed.
SECONDS_TO_DRAW = 2.0
_first_page = Event()


def desk() -> Desk:
    """Return the desk, opened on first use; its late import keeps the first page fast.

    From now on, jobs of this thread count for its browser.
    """
    from kronos_app.services.desk import get_desk

    if get_script_run_ctx(suppress_warning=True) is not None:
        CALLER.set(st.context.headers.get(HEADER, ""))
    return get_desk()


def loaded_device(model: str) -> str | None:
    """Return the device of a model in memory, None if it is not loaded.

    Before torch is imported no model is loaded; the check must not import it, because the first page would wait.
    """
    if "torch" not in sys.modules:
        return None
    return next((status.device for status in desk().models.list() if status.name == model), None)


def page_served() -> None:
    """Record that a page was served."""
    _first_page.set()


def warm_up(models: ModelService) -> None:
    """Load the modules and the model of the first forecast after the first page was served."""
    _first_page.wait()
    time.sleep(SECONDS_TO_DRAW)
    import training.evaluation.baselines
    import training.evaluation.one_forecast  # noqa: F401 - imported early for the first forecast or evaluation

    bundled = next((status.name for status in models.list() if status.bundled and status.downloaded), None)
    if bundled is not None:
        with suppress(AppError):  # the first forecast will show the error
            models.get(bundled)
