"""Requests that change something, and websockets, must come from this server's own pages, or carry a bearer token."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.errors import Forbidden
from kronos_app.i18n import text
from kronos_app.web.responses import refuse

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOrigin:
    """ASGI middleware that refuses requests sent by a page of another site.

    Such a page cannot add a bearer token, so requests with one pass. Programs other than browsers send neither `Origin`
    nor `Sec-Fetch-Site`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        changes = scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE_METHODS)
        if not changes or not is_cross_site(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        # Streamlit compares only the host of a websocket: it would accept pages of other programs on this machine.
        error = Forbidden(
            "cross_site_request",
            text("A page of another site sent this request."),
            text(
                "Send it from a page of this server, or with the header Authorization: Bearer TOKEN. A proxy in "
                "front of the server must pass the header Host on as the browser sent it."
            ),
        )
        await refuse(error, scope, receive, send)


def is_cross_site(headers: Headers) -> bool:
    """Return whether the headers show that a page of another site sent the request."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return False
    # First, because a proxy may have changed `Host`, with which `Origin` is compared. Over HTTP, browsers send this
    # header to localhost only.
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"none", "same-origin"}
    origin = headers.get("origin")
    return origin is not None and _host_of(origin) != headers.get("host", "").lower()


def _host_of(origin: str) -> str | None:
    """Return host and port of an `Origin`, None where it is not well-formed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
