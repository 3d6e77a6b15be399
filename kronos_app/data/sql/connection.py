"""Databases that candles may be read from: those that the administrator named in Streamlit's secrets, and no others."""

from __future__ import annotations

import logging
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kronos_app.errors import Unavailable
from kronos_app.i18n import text

if TYPE_CHECKING:
    import sqlalchemy as sa

log = logging.getLogger(__name__)

# SQLAlchemy's names of a dialect to the one used here and the driver that comes with the app.
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
TITLES = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlite": "SQLite", "duckdb": "DuckDB"}
_PARTS = ("username", "password", "host", "port", "database", "query")


@dataclass(frozen=True)
class SqlConnection:
    """A named database.

    Attributes
    ----------
    name
        As in the secrets, fit to be shown.
    dialect
        `postgresql`, `mysql`, `sqlite` or `duckdb`.
    url
        With the password: to be handed to SQLAlchemy and nobody else.
    """

    name: str
    dialect: str
    url: sa.URL = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """Return name and kind of database for people."""
        return f"{self.name} · {TITLES[self.dialect]}"

    def without_secrets(self, message: str) -> str:
        """Return a message of the driver with the password blotted out, should it be in there."""
        password = str(self.url.password or "")
        for secret in {password, unquote(password)} - {""}:
            message = message.replace(secret, "…")
        return message


def secrets_files(environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the files that Streamlit reads secrets from, where the later ones count."""
    environment = os.environ if environment is None else environment
    if named := environment.get("STREAMLIT_SECRETS_FILES", "").split():
        return tuple(Path(name) for name in named)
    return tuple(folder / ".streamlit" / "secrets.toml" for folder in (Path.home(), Path.cwd()))


def named_connections(paths: Iterable[Path]) -> dict[str, SqlConnection]:
    """Return the databases of the sections `[connections.NAME]`, by name.

    A section that names no database this app can read is left out, and the log says why; those that Streamlit uses for
    something else are left out in silence.

    Raises
    ------
    Unavailable
        A file is there but cannot be read.
    """
    secrets: dict[str, Any] = {}
    for path in paths:
        secrets |= _read(path)
    sections = secrets.get("connections")
    if not isinstance(sections, dict):
        return {}
    found = {name: _connection(name, section) for name, section in sections.items() if isinstance(section, dict)}
    return {name: connection for name, connection in found.items() if connection is not None}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        # The cause may quote a line of the file, so it is neither shown nor logged.
        log.error("%s cannot be read: %s", path, type(error).__name__)
        raise Unavailable(
            "secrets_unreadable",
            text("The file that names the connections cannot be read."),
            text("Whoever runs this desk corrects secrets.toml: it must be TOML, and readable for this process."),
        ) from None


def _connection(name: str, section: Mapping[str, Any]) -> SqlConnection | None:
    if section.get("type", "sql") != "sql":
        return None
    url = _url(name, section)
    if url is None:
        return None
    dialect = url.get_backend_name()
    if dialect not in DRIVERS:
        log.warning("Connection %s: databases of the kind %s cannot be read", name, dialect)
        return None
    url = url.set(drivername=DRIVERS[dialect])
    return SqlConnection(name, url.get_backend_name(), url)


def _url(name: str, section: Mapping[str, Any]) -> sa.URL | None:
    import sqlalchemy as sa

    try:
        if "url" in section:
            return sa.make_url(str(section["url"]))
        if "dialect" in section:
            parts = {part: section[part] for part in _PARTS if part in section}
            return sa.URL.create(str(section["dialect"]), **parts)
        log.warning("Connection %s has neither url nor dialect", name)
    except (sa.exc.ArgumentError, TypeError, ValueError) as error:
        # Without its text, which may quote the password.
        log.warning("Connection %s has an address that makes no sense: %s", name, type(error).__name__)
    return None
