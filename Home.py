"""Launcher: pages and REST API on one port. Run it with `streamlit run Home.py`."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Thread

import streamlit as st
from starlette.routing import Mount

from kronos_app import access, nav
from kronos_app.api.app import create_api
from kronos_app.errors import AppError
from kronos_app.runtime import desk, warm_up
from kronos_app.settings import check_settings
from kronos_app.web.server import configure_server, end_process_later
from kronos_app.web.stack import create_middleware
from kronos_app.widgets.kit.errors import show_unexpected

# For libgomp, which reads it when torch is loaded: how long threads of a forecast spin while they wait for each other.
# With the default, forecasts take several times as long while pages or other programs use the cores.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the desk, which continues the jobs of an earlier process, and close it at the end."""
    try:
        opened = desk()
    except AppError as error:
        sys.stderr.write(f"{error} {error.hint.render()}\n")
        sys.stderr.flush()
        os._exit(3)  # an exception would print the server's traceback around the message
    Thread(target=warm_up, args=[opened.models], name="kronos-warm-up", daemon=True).start()
    yield
    from kronos_app.services.desk import close_desk

    end_process_later()
    close_desk()


settings = check_settings()
configure_server(settings)
app = st.App(
    "kronos_app/frame/main.py",
    routes=[Mount("/api", app=create_api(desk, settings, lambda: bool(access.password())))],
    middleware=create_middleware(
        settings, access.password, access.browser_of, access.held_uploads, access.page(nav.ENTRIES)
    ),
    lifespan=lifespan,
    on_script_error=show_unexpected,
)
