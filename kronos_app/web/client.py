"""Which client sent a request."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from starlette.types import Scope

BROWSER = "kronos.browser"  # key in the scope: id of the browser that sent a valid cookie
CALLER = "kronos.caller"  # key in the scope: the caller that limits count the request for


def client_address(scope: Scope) -> str:
    """Return the client's address, for IPv6 its /64 network: one client may use every address in it."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(getattr(address, "ipv4_mapped", None) or address)


def caller_of(scope: Scope) -> str:
    """Return the caller that limits count the request for: an API client, else a browser, else an address."""
    return str(scope.get(CALLER) or scope.get(BROWSER) or client_address(scope))
