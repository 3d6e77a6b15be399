"""Requests are answered only under the names of this server, so that no other site can point its name at it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.web.responses import refuse

STREAMLIT_HEALTH = "/_stcore/health"
# Clusters request these by the machine's address or without `Host`. The answers contain only the server's state.
HEALTH = (STREAMLIT_HEALTH, "/api/v1/health")


class AllowedHosts:
    """ASGI middleware that refuses a `Host` that is neither localhost nor in `names`."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = [hostname(name) or name.lower() for name in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        if _is_health_check(scope) or (len(hosts) == 1 and self._allows(hostname(hosts[0]))):
            await self._app(scope, receive, send)
            return
        error = AppError(
            "unknown_host",
            text("This server does not answer to the host {host}.", host=repr(", ".join(hosts)[:100])),
            text("Add the name to KRONOS_ALLOWED_HOSTS, or open the server by one that is there, such as localhost."),
            status=421,
        )
        await refuse(error, scope, receive, send)

    def _allows(self, name: str | None) -> bool:
        if name is None:
            return False
        return _is_loopback(name) or any(_matches(name, pattern) for pattern in self._names)


def hostname(host: str) -> str | None:
    """Return the name in a `Host` header without its port, None if it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip(".")


def _is_health_check(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["path"] in HEALTH and scope["method"] in {"GET", "HEAD"}


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _matches(name: str, pattern: str) -> bool:
    return pattern == "*" or name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))
