"""Database connections: those that the administrator named in Streamlit's secrets, and no others."""

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

# Dialect names of SQLAlchemy to the dialect used here, with the driver that the app installs.
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
    """A named database: the name in the secrets, the dialect (a key of `TITLES`), and the URL with its password."""

    name: str
    dialect: str
    url: sa.URL = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """Return the name and the kind of database for display."""
        return f"{self.name} · {TITLES[self.dialect]}"

    def without_secrets(self, message: str) -> str:
        """Return a message of the driver with the password replaced."""
        password = str(self.url.password or "")
        for secret in {password, unquote(password)} - {""}:
            message = message.replace(secret, "…")
        return message


def secrets_files(environment: Mapping[str, str] | None = None) -> tuple[Path, ...]:
    """Return the files that Streamlit reads secrets from; later files override earlier ones."""
    environment = os.environ if environment is None else environment
    if named := environment.get("STREAMLIT_SECRETS_FILES", "").split():
        return tuple(Path(name) for name in named)
    return tuple(folder / ".streamlit" / "secrets.toml" for folder in (Path.home(), Path.cwd()))


def named_connections(paths: Iterable[Path]) -> dict[str, SqlConnection]:
    """Return the databases of the sections `[connections.NAME]`, by name.

    Sections of other types are skipped; an SQL section that cannot be used is skipped and logged. Raises `Unavailable`
    where a file exists but cannot be read.
    """
    secrets: dict[str, Any] = {}
    for path in paths:
        secrets |= _read(path)
    sections = secrets.get("connections")
    if not isinstance(sections, dict):
        return {}
    connections = (_connection(name, section) for name, section in sections.items() if isinstance(section, dict))
    return {connection.name: connection for connection in connections if connection is not None}


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
            text("The secrets file with the database connections cannot be read."),
            text("The administrator must correct secrets.toml: valid TOML, readable by this process."),
        ) from None


def _connection(name: str, section: Mapping[str, Any]) -> SqlConnection | None:
    if section.get("type", "sql") != "sql":
        return None
    url = _url(name, section)
    if url is None:
        return None
    dialect = url.get_backend_name()
    if dialect not in DRIVERS:
        log.warning("Connection %s: the database type %s is not supported", name, dialect)
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
        # The text of the error may quote the password, so only its type is logged.
        log.warning("Connection %s has an invalid address: %s", name, type(error).__name__)
    return None
