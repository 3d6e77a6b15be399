"""The API token, checked before the body of a call is read."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.callers import CALLER as CURRENT_CALLER
from kronos_app.errors import AppError, TooManyRequests, Unauthorized
from kronos_app.i18n import text
from kronos_app.web.attempts import Attempts, same_secret
from kronos_app.web.client import CALLER, client_address
from kronos_app.web.responses import refuse

HEALTH = "/v1/health"  # answered without the token, but not in full
AUTHORIZED = "kronos.authorized"  # key in the scope: whether the call has the token


class TokenGuard:
    """ASGI middleware that refuses calls without the token, except of the documentation.

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
            await refuse(error, scope, receive, send)
            return
        scope[CALLER] = f"api {client_address(scope)}"
        CURRENT_CALLER.set(scope[CALLER])
        await self._app(scope, receive, send)

    def _refuse(self, scope: Scope) -> AppError | None:
        """Return the error of a call that must be refused, else None."""
        if self._token is None:
            return _CLOSED if self._pages_locked() else None
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            return _UNAUTHORIZED
        client = client_address(scope)
        try:
            self._attempts.check(client)
        except TooManyRequests as error:
            return error
        # Headers are decoded as Latin-1: encoding gives back the bytes that were sent.
        if not same_secret(given.strip().encode("latin-1"), self._token.get_secret_value().encode()):
            self._attempts.count_failure(client)
            return _UNAUTHORIZED
        self._attempts.remember(client)
        return None


_UNAUTHORIZED = Unauthorized(
    "unauthorized", text("The API token is missing or wrong."), text("Send the header Authorization: Bearer TOKEN.")
)
_CLOSED = Unauthorized(
    "api_closed",
    text("The pages have a password and the API has no token, so the API is closed."),
    text("Set KRONOS_API_TOKEN for the server, and send the header Authorization: Bearer TOKEN."),
)
