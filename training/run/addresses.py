"""The servers that a run may send figures to, and which of them gets this machine's credentials.

A desk gives its trainers the administrator's list in `KRONOS_ALLOWED_ADDRESSES`, so that no user can make the server
send requests elsewhere. Who starts a run in a terminal is the administrator: without the variable all are allowed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from training.errors import ConfigError

VARIABLE = "KRONOS_ALLOWED_ADDRESSES"
TRACKING_SERVER = "MLFLOW_TRACKING_URI"  # MLflow's own variable
_PORTS = {"http": 80, "https": 443}
LONGEST = 200  # characters of an address in a message


@dataclass(frozen=True)
class Address:
    """Scheme, host, port and path of a server; only equal spelling is equal."""

    scheme: str
    host: str
    port: int
    path: tuple[str, ...]

    @classmethod
    def parse(cls, address: str) -> Self:
        """Return the parts of an address.

        Raises ValueError if it is not HTTP, or has a user, a password, a query or a way out of its path.
        """
        parts = urlsplit(address)
        path = unquote(unquote(parts.path))
        unclear = {"\\", "?", "#", "@"} & {*unquote(parts.netloc), *path}
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or unclear:
            raise ValueError(address)
        if not address.isprintable() or " " in address or not address.isascii():
            raise ValueError(address)
        folders = tuple(name for name in path.split("/") if name)
        if {".", ".."} & {*folders}:
            raise ValueError(address)
        return cls(parts.scheme, parts.hostname.rstrip("."), parts.port or _PORTS[parts.scheme], folders)

    def is_within(self, other: Address) -> bool:
        """Return whether this is on the same server as `other`, below its path."""
        same = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same and self.path[: len(other.path)] == other.path


@dataclass(frozen=True)
class AddressPolicy:
    """The allowed addresses."""

    allowed: tuple[Address, ...] | None = None  # None allows all
    tracking_server: Address | None = None  # the administrator's MLflow server: allowed, and gets the credentials

    @classmethod
    def of(cls, allowed: Iterable[str] | None, environment: Mapping[str, str]) -> Self:
        """Return the policy of a list of addresses, None for no list, and of MLflow's own variable.

        Raises ConfigError if an entry of the list is not an HTTP address.
        """
        try:
            addresses = None if allowed is None else tuple(map(Address.parse, allowed))
        except ValueError as error:
            raise ConfigError(
                "{variable} has {address}: give addresses such as https://mlflow.example.com:5000.",
                variable=VARIABLE, address=str(error)[:LONGEST],
            ) from None  # fmt: skip
        try:
            server = Address.parse(environment.get(TRACKING_SERVER, ""))
        except ValueError:  # MLflow also accepts folders and databases
            server = None
        return cls(addresses, server)

    @classmethod
    def from_environment(cls) -> Self:
        """Return the policy of this process, with the list of the desk that started it, if one did.

        Raises ConfigError if the list cannot be read.
        """
        written = os.environ.get(VARIABLE)
        try:
            allowed = None if written is None else [str(address) for address in json.loads(written)]
        except (ValueError, TypeError):
            raise ConfigError(
                '{variable} is not a list in JSON: write it as ["https://mlflow.example.com"].', variable=VARIABLE
            ) from None
        return cls.of(allowed, os.environ)

    def check(self, field: str, address: str) -> None:
        """Raise a ConfigError that names `field` if the address is invalid or not allowed."""
        shown = address[:LONGEST]
        try:
            parsed = Address.parse(address)
        except ValueError:
            raise ConfigError(
                "{field} is {address}: give the address of a server, such as http://127.0.0.1:5000, without user and "
                "password.",
                field=field, address=shown.rpartition("@")[2],
            ) from None  # fmt: skip
        own = () if self.tracking_server is None else (self.tracking_server,)
        if self.allowed is not None and not any(map(parsed.is_within, (*self.allowed, *own))):
            raise ConfigError(
                "{field}: this desk may not send data to {address}. Leave it out, or have the administrator add the "
                "server to {variable}.",
                field=field, address=shown, variable=VARIABLE,
            )  # fmt: skip

    def gets_credentials(self, address: str) -> bool:
        """Return whether this machine's credentials may go to a server.

        With a list only to the administrator's server; without one to the server in the config, unless MLflow's
        variable names another.
        """
        if self.tracking_server is None:
            return self.allowed is None
        return Address.parse(address).is_within(self.tracking_server)
