"""Requests that change something must come from this server's own pages, or carry a bearer token."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

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
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS and is_cross_site(Headers(scope=scope)):
            error = Forbidden(
                "cross_site_request",
                text("A page of another site sent this request."),
                text("Send it from a page of this server, or with the header Authorization: Bearer TOKEN."),
            )
            await refusal(scope, error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser says that the page that sent the request is not this server's."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return False
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
