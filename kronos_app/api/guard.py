"""The API token, checked before anything else of a call is read."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.callers import CALLER as CURRENT_CALLER
from kronos_app.errors import AppError, TooManyRequests, Unauthorized
from kronos_app.i18n import text
from kronos_app.web.attempts import Attempts
from kronos_app.web.client import CALLER, client_address
from kronos_app.web.responses import refusal

HEALTH = "/v1/health"  # answered to everyone, in full only to who has the token
AUTHORIZED = "kronos.authorized"  # key in the scope: whether the call carries the token


class TokenGuard:
    """ASGI middleware that refuses calls without the token; the documentation is open.

    Parameters
    ----------
    token
        None leaves the API open, unless the pages are locked.
    pages_locked
        Returns whether the pages have a password.
    """

    def __init__(self, app: ASGIApp, token: SecretStr | None, pages_locked: Callable[[], bool]) -> None:
        self._app = app
        self._token = token
        self._pages_locked = pages_locked
        self._attempts = Attempts("API token")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, or refuse it unread."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or not path.startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        error = self._refuse(scope)
        scope[AUTHORIZED] = error is None and self._token is not None
        if error is not None and path != HEALTH:
            await refusal(scope, error)(scope, receive, send)
            return
        scope[CALLER] = f"api {client_address(scope)}"
        CURRENT_CALLER.set(scope[CALLER])
        await self._app(scope, receive, send)

    def _refuse(self, scope: Scope) -> AppError | None:
        """Return why the call is refused, None where it is not."""
        if self._token is None:
            return _closed() if self._pages_locked() else None
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            return _unauthorized()
        client = client_address(scope)
        try:
            self._attempts.check(client)
        except TooManyRequests as error:
            return error
        if not _equal(given, self._token.get_secret_value()):
            self._attempts.count_failure(client)
            return _unauthorized()
        self._attempts.remember(client)
        return None


def _equal(given: str, token: str) -> bool:
    # Latin-1 is how headers are decoded: this gives back the bytes that were sent. Digests, so that the time tells
    # nothing about the length either.
    sent, expected = given.strip().encode("latin-1"), token.encode()
    return hmac.compare_digest(hmac.digest(b"token", sent, "sha256"), hmac.digest(b"token", expected, "sha256"))


def _unauthorized() -> Unauthorized:
    return Unauthorized(
        "unauthorized",
        text("The API token is missing or wrong."),
        text("Send the header Authorization: Bearer TOKEN."),
    )


def _closed() -> Unauthorized:
    return Unauthorized(
        "api_closed",
        text("The pages have a password and the API has no token, so the API is closed."),
        text("Set KRONOS_API_TOKEN for the server, and send the header Authorization: Bearer TOKEN."),
    )
