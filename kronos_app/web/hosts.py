"""Only requests to a name of this server are answered, so that no other site's name can be pointed at it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from kronos_app.errors import AppError
from kronos_app.i18n import text
from kronos_app.web.responses import refusal

STREAMLIT_HEALTH = "/_stcore/health"
# What a cluster asks by the machine's address, which nobody can know before, or without any `Host`. Both tell no more
# than that the server lives.
HEALTH = (STREAMLIT_HEALTH, "/api/v1/health")


class UnknownHost(AppError):
    """A request to a host name that this server does not serve."""

    status = 421


class AllowedHosts:
    """ASGI middleware that refuses a `Host` that is neither this machine's nor in `names`."""

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self._app = app
        self._names = [hostname(name) or name.lower() for name in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        if _asks_for_health(scope) or (len(hosts) == 1 and self._allows(hostname(hosts[0]))):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            await refusal(scope, _unknown_host(", ".join(hosts)[:100]))(scope, receive, send)

    def _allows(self, name: str | None) -> bool:
        if name is None:
            return False
        return _is_loopback(name) or any(_matches(name, pattern) for pattern in self._names)


def hostname(host: str) -> str | None:
    """Return the name in a `Host` header without its port, None where it is not well-formed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.netloc != host or "@" in host or not parts.hostname:
        return None
    return parts.hostname.lower().rstrip(".")


def _asks_for_health(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["path"] in HEALTH and scope["method"] in {"GET", "HEAD"}


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _matches(name: str, pattern: str) -> bool:
    return pattern == "*" or name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))


def _unknown_host(host: str) -> UnknownHost:
    return UnknownHost(
        "unknown_host",
        text("This server does not answer to the host {host}.", host=repr(host)),
        text("Add the name to KRONOS_ALLOWED_HOSTS, or open the server by one that is there, such as localhost."),
    )
