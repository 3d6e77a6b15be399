"""Requests that change something, and websockets, must come from this server's own pages, or carry a bearer token."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from kronos_app.errors import Forbidden
from kronos_app.i18n import text
from kronos_app.web.responses import refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOrigin:
    """ASGI middleware that refuses requests which another site's page makes a browser send.

    A page of another site cannot add a bearer token, so a request with one was meant. Programs other than browsers send
    neither `Origin` nor `Sec-Fetch-Site`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        acts = scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in SAFE_METHODS)
        if not acts or not is_cross_site(Headers(scope=scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Streamlit looks at the host alone: pages of other programs on this machine would be let in.
            await WebSocketClose(1008)(scope, receive, send)
        else:
            error = Forbidden(
                "cross_site_request",
                text("A page of another site sent this request."),
                text(
                    "Send it from a page of this server, or with the header Authorization: Bearer TOKEN. A proxy in "
                    "front of the server must pass the header Host on as the browser sent it."
                ),
            )
            await refusal(scope, error)(scope, receive, send)


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser says that the page that sent the request is not this server's."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return False
    # Where a browser judges by itself, its word counts: a proxy may have changed `Host`, with which `Origin` is
    # compared. Over HTTP, browsers say nothing but to localhost.
    judgement = headers.get("sec-fetch-site")
    if judgement is not None:
        return judgement not in {"none", "same-origin"}
    origin = headers.get("origin")
    return origin is not None and _place(origin) != headers.get("host", "").lower()


def _place(origin: str) -> str | None:
    """Return host and port of an `Origin`, None where it is not well-formed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
