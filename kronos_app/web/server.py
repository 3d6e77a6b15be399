"""Options of uvicorn that Streamlit does not set: time to stop, time limit of heads, trusted proxies."""

from __future__ import annotations

import logging
import os
import signal
from threading import Timer

import uvicorn

from kronos_app.settings import Settings
from kronos_app.web.protocol import TimedH11Protocol

log = logging.getLogger(__name__)

# After the last request: for jobs to reach their next step, and for the store to be closed.
SECONDS_TO_CLOSE = 20


def running_server() -> uvicorn.Server | None:
    """Return the uvicorn server of this process, None under another server.

    Streamlit creates it and gives no access to it, but it is the handler of SIGTERM.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if isinstance(server, uvicorn.Server) else None


def configure_server(settings: Settings) -> None:
    """Set the options; must be called while the application is imported, before the server accepts connections."""
    server = running_server()
    if server is None:
        log.warning("The server is not uvicorn: KRONOS_SHUTDOWN_SECONDS and KRONOS_TRUSTED_PROXIES have no effect")
        return
    server.config.timeout_graceful_shutdown = settings.shutdown_seconds
    server.config.forwarded_allow_ips = settings.trusted_proxies
    server.config.http_protocol_class = TimedH11Protocol


def is_stopping() -> bool:
    """Return whether the server is about to stop."""
    server = running_server()
    return server is not None and server.should_exit


def end_process_later() -> None:
    """End the process if it has not ended after `SECONDS_TO_CLOSE`; the next one resumes its jobs."""
    timer = Timer(SECONDS_TO_CLOSE, _end_process)
    timer.daemon = True
    timer.start()


def _end_process() -> None:
    log.error("The server did not end within %s s after its last request, and is stopped now", SECONDS_TO_CLOSE)
    os._exit(1)
