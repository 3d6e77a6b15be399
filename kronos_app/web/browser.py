"""A signed cookie that identifies a browser and records that the password was entered in it."""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronos_app.web.client import BROWSER

log = logging.getLogger(__name__)

# Streamlit binds a session to the value of this header (`server.trustedUserHeaders` in .streamlit/config.toml), so the
# id of a session is not enough to open it.
HEADER = "X-Kronos-Browser"
ADMITTED = "kronos.admitted"  # key in the scope: whether the browser may see the pages
RETURNING = "kronos.returning"  # key in the scope: whether the password was ever entered in it
DAYS = 7
SECONDS = DAYS * 24 * 3600


@dataclass(frozen=True)
class Browser:
    """A browser: its id, and the keyed digest of the password that was entered in it, empty if none was."""

    id: str
    fingerprint: str = ""


class Cookies:
    """Signs and reads the cookies of one server, and compares them with its password.

    Parameters
    ----------
    password
        Returns the password of the pages, empty if there is none.
    """

    def __init__(self, key: bytes, password: Callable[[], str]) -> None:
        self.password = password
        self._key = key
        self._serializer = URLSafeTimedSerializer(key, salt="browser")

    def new_browser(self, password: str = "") -> Browser:
        """Return a browser with a new id, admitted by `password` if one is given."""
        return Browser(secrets.token_urlsafe(18), self._fingerprint(password) if password else "")

    def admits(self, browser: Browser) -> bool:
        """Return whether the password was entered in the browser, or there is none."""
        password = self.password()
        return not password or hmac.compare_digest(browser.fingerprint, self._fingerprint(password))

    def _fingerprint(self, password: str) -> str:
        return hmac.digest(self._key, password.encode(), "sha256").hex()

    def write(self, scope: Scope, browser: Browser) -> str:
        """Return the `Set-Cookie` header for a browser."""
        name = cookie_name(scope)
        cookie = SimpleCookie({name: self._serializer.dumps([browser.id, browser.fingerprint])})
        attributes = {"path": "/", "httponly": True, "samesite": "Lax", "max-age": SECONDS}
        for attribute, value in (attributes | {"secure": scope["scheme"] == "https"}).items():
            cookie[name][attribute] = value
        return cookie[name].OutputString()

    def read(self, scope: Scope) -> Browser | None:
        """Return the browser of the cookie of a request or websocket, None without a valid cookie."""
        try:
            value = self._serializer.loads(HTTPConnection(scope).cookies[cookie_name(scope)], max_age=SECONDS)
        except (KeyError, BadData):
            return None
        return Browser(*value)


class BrowserCookie:
    """ASGI middleware that reads the cookie, sets a missing one with pages, and names the browser to Streamlit."""

    def __init__(self, app: ASGIApp, cookies: Cookies) -> None:
        self._app = app
        self._cookies = cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the content of the cookie in the scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent = self._cookies.read(scope)
        browser = sent or self._cookies.new_browser()
        scope[BROWSER] = browser.id if sent else None
        scope[RETURNING] = bool(browser.fingerprint)
        scope[ADMITTED] = self._cookies.admits(browser)
        headers = MutableHeaders(scope=scope)
        del headers[HEADER]  # a client must not name itself
        headers[HEADER] = browser.id
        await self._app(scope, receive, send if sent else self._giving_cookie(scope, send, browser))

    def _giving_cookie(self, scope: Scope, send: Send, browser: Browser) -> Send:
        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Only with documents: each of the files that a page loads at once would set another one.
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Set-Cookie", self._cookies.write(scope, browser))
            await send(message)

        return send_with_cookie


def cookie_name(scope: Scope) -> str:
    """Return the name of the cookie, which contains the port: browsers send cookies to every port of a host."""
    port = Headers(scope=scope).get("host", "").rpartition(":")[2]
    return f"kronos_browser_{port}" if port.isdigit() else "kronos_browser"


def signing_key(home: Path) -> bytes:
    """Return the key of this desk's cookies from a file that only its owner may read, made on first use.

    If the file cannot be written, each start has another key and users must enter the password again.
    """
    path = home / "cookie.key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600, exist_ok=False)
            path.write_bytes(secrets.token_bytes(32))
        key = path.read_bytes()
    except OSError as error:
        log.warning("The key of cookies cannot be saved and is valid until the next start: %s", error)
        return secrets.token_bytes(32)
    return key if len(key) >= 32 else secrets.token_bytes(32)
