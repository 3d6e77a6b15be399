"""How pages reach the desk: the one set of services in this process, shared with the API."""

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

# For the browser to fetch and draw the first page undisturbed.
SECONDS_TO_DRAW = 2.0
_first_page = Event()


def desk() -> Desk:
    """Return the desk, opening it on first use; the import waits until then so that the first page need not.

    From here on the work of this script's thread is counted for the browser that it runs for.
    """
    from kronos_app.services.desk import get_desk

    if get_script_run_ctx(suppress_warning=True) is not None:
        CALLER.set(st.context.headers.get(HEADER, ""))
    return get_desk()


def loaded_device(model: str) -> str | None:
    """Return where a model is in memory, None while it is not.

    Before torch was imported none can be, and asking would import it: the first page must not wait for that.
    """
    if "torch" not in sys.modules:
        return None
    return next((status.device for status in desk().models.list() if status.name == model), None)


def page_served() -> None:
    """Note that the server has done all it has to for a page."""
    _first_page.set()


def warm_up(models: ModelService) -> None:
    """Wait for the first page to be served, then load what the first forecast would have to wait for."""
    _first_page.wait()
    time.sleep(SECONDS_TO_DRAW)
    import training.evaluation.baselines
    import training.evaluation.forecast_scores  # noqa: F401 - loaded for the first who forecasts or evaluates, not used here

    bundled = next((status.name for status in models.list() if status.bundled and status.downloaded), None)
    if bundled is not None:
        with suppress(AppError):  # whoever asks for a forecast will be told
            models.get(bundled)
