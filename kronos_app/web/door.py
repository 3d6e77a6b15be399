"""The password of the pages: without it, pages, websockets, uploads and media files are refused."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.errors import TooManyRequests, Unauthorized
from kronos_app.i18n import LANGUAGES, Text, text
from kronos_app.web.attempts import Attempts, same_secret
from kronos_app.web.browser import ADMITTED, RETURNING, Cookies
from kronos_app.web.client import BROWSER, client_address
from kronos_app.web.door_page import render_door
from kronos_app.web.hosts import STREAMLIT_HEALTH
from kronos_app.web.responses import language_of, refuse

ENTER = "/enter"
# The API has its own token, and monitoring has no browser.
API = "/api/"
MAX_FORM = 4096


class Door:
    """ASGI middleware that asks for the password if there is one."""

    def __init__(self, app: ASGIApp, cookies: Cookies) -> None:
        self._app = app
        self._cookies = cookies
        self._attempts = Attempts("password")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, take the password, or ask for it."""
        password = self._cookies.password() if scope["type"] != "lifespan" else ""
        if password and scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", ENTER):
            await (await self._enter(Request(scope, receive), password))(scope, receive, send)
        elif not password or scope[ADMITTED] or _is_open(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and _wants_page(scope):
            query = scope["query_string"].decode("latin-1")
            page = _page(scope, scope["path"] + (f"?{query}" if query else ""))
            await page(scope, receive, send)
        else:
            hint = text("Open the pages in a browser and enter the password.")
            await refuse(Unauthorized("password_needed", text("The password is missing."), hint), scope, receive, send)

    async def _enter(self, request: Request, password: str) -> Response:
        """Return a cookie and a redirect for the right password, else the form again."""
        scope = request.scope
        # A browser in which the password was entered before has its own count; others cannot lock it out.
        client = str(scope[BROWSER]) if scope[RETURNING] else client_address(scope)
        if scope[RETURNING]:
            self._attempts.remember(client)
        fields = await _read_form(request)
        target = _local(fields.get("target", "/"))
        # No `await` from here on: concurrent attempts are counted one after another.
        try:
            self._attempts.check(client)
        except TooManyRequests as error:
            return _page(scope, target, error.message, error.hint, status=429, retry_after=error.retry_after)
        if not same_secret(fields.get("password", "").encode(), password.encode()):
            self._attempts.count_failure(client)
            return _page(scope, target, text("This password is not right."), status=401)
        self._attempts.remember(client)
        cookie = self._cookies.write(scope, self._cookies.new_browser(password))
        return RedirectResponse(target, 303, {"Set-Cookie": cookie})


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"]
    return scope["type"] == "http" and (path.startswith(API) or path == STREAMLIT_HEALTH)


def _wants_page(scope: Scope) -> bool:
    return scope["method"] in {"GET", "HEAD"} and "text/html" in Headers(scope=scope).get("accept", "")


def _page(scope: Scope, target: str, *messages: Text, status: int = 200, retry_after: int | None = None) -> Response:
    chosen = QueryParams(scope["query_string"]).get("lang", "")
    language = chosen if chosen in LANGUAGES else language_of(Headers(scope=scope).get("accept-language", ""))
    message = " ".join(message.render(language) for message in messages)
    headers = {"Cache-Control": "no-store"} | ({"Retry-After": str(retry_after)} if retry_after else {})
    return Response(render_door(target, message, language), status, headers, "text/html")


async def _read_form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _local(target: str) -> str:
    """Return the address if it is on this server, else the start page."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
