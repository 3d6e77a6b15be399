"""Opening the database in any state.

A database of an older schema is upgraded in place; a file is copied first. A damaged file is moved aside, never
deleted, and a new one is started. A file that cannot be written is opened read-only. In all other cases `Unavailable`
says why the database cannot be used: nothing is accepted that would be lost.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kronos_app.errors import InvalidInput, Unavailable
from kronos_app.i18n import Text, text
from kronos_app.store import failures, migrations, ownership
from kronos_app.store.records import now
from kronos_app.store.tables import SCHEMA_VERSION, read_json, write_json

log = logging.getLogger(__name__)

FILE_DIALECTS = ("duckdb", "sqlite")
# SQLAlchemy's names of servers, and the drivers among our requirements.
DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
SECONDS_TO_CONNECT = 5
SECONDS_TO_ANSWER = 20  # after which a connection counts as lost
SERVER_OPTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": SECONDS_TO_CONNECT,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": SECONDS_TO_ANSWER * 1000,
    },
    "mysql": {"connect_timeout": SECONDS_TO_CONNECT, "charset": "utf8mb4"},
}
DUCKDB_CONFIG = {
    # Our SQL reads no other file, and nothing is downloaded.
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # The model needs the cores and the memory.
    "threads": 2,
    "memory_limit": "1GB",
}


@dataclass(frozen=True)
class Address:
    """The address of a database: `file` is None for memory and servers; `name` contains no password."""

    url: sa.URL
    file: Path | None
    name: str

    @property
    def in_memory(self) -> bool:
        """Return whether the database is in memory."""
        return self.file is None and self.url.get_backend_name() in FILE_DIALECTS


@dataclass(frozen=True)
class Opened:
    """An engine with one connection, whose tables exist."""

    engine: sa.Engine
    notice: Text | None = None
    read_only: bool = False


def parse(url: str) -> Address:
    """Return the parsed address.

    Raises InvalidInput: SQLAlchemy cannot parse `url` or its driver is missing.
    """
    try:
        address = sa.make_url(url)
        address = address.set(drivername=DRIVERS.get(address.drivername, address.drivername))
        address.get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        raise InvalidInput(
            "database_url",
            text("The database address cannot be used: {reason}.", reason=_reason(error)),
            text("Write KRONOS_DATABASE_URL as dialect://user:password@host/name and install the dialect's driver."),
        ) from error
    in_memory = not address.database or address.database == ":memory:"
    is_file = not in_memory and address.get_backend_name() in FILE_DIALECTS
    file = Path(str(address.database)) if is_file else None
    return Address(address, file, str(file) if file else address.render_as_string(hide_password=True))


def _reason(error: Exception) -> str:
    # SQLAlchemy quotes the whole URL with its password.
    return str(error).split(" from given URL string")[0].rstrip(".")


def open_database(address: Address) -> Opened:
    """Return an engine for `address`.

    Raises Unavailable: the database cannot be used; the message has the reason and the remedy.
    """
    try:
        return _open(address)
    except failures.FAILURES as error:
        log.info("The database %s did not open: %s", address.name, error)
        return _recover(address, error)


def replace_damaged(address: Address) -> Opened:
    """Move a file aside that turned out to be damaged after it was opened, and return a new database.

    Raises Unavailable: the file could not be moved.
    """
    return _set_aside(address, "damaged", text("damaged"))


def _open(address: Address, *, read_only: bool = False) -> Opened:
    if address.file is not None and not read_only:
        address.file.parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(address, read_only=read_only)
    try:
        ownership.acquire(engine, address.name)
        version = _prepare(engine, address, read_only=read_only)
    except BaseException:
        engine.dispose()
        raise
    if version == SCHEMA_VERSION:
        return Opened(engine)
    engine.dispose()
    if version > SCHEMA_VERSION:
        raise failures.unusable(
            text(
                "{name} was written by a newer version of Kronos Desk and was not changed.",
                name=address.name,
            ),
            text("Update Kronos Desk and start it again."),
        )
    return _set_aside(address, f"version-{version}", text("of an older version that cannot be upgraded"))


def _engine(address: Address, *, read_only: bool) -> sa.Engine:
    backend = address.url.get_dialect().name
    arguments: dict[str, Any] = dict(SERVER_OPTIONS.get("mysql" if backend == "mariadb" else backend, {}))
    if backend == "duckdb":
        arguments = {"config": DUCKDB_CONFIG} | ({"read_only": True} if read_only else {})
    elif backend == "sqlite":
        arguments = {"check_same_thread": False}
    # One connection: closing it releases the file, all threads share one database in memory, and the connection that
    # locks a server's database is the one that writes to it.
    return sa.create_engine(
        address.url,
        poolclass=sa.StaticPool,
        connect_args=arguments,
        json_serializer=write_json,
        json_deserializer=read_json,
        hide_parameters=True,  # keeps candles and arrays out of the log
    )


def _prepare(engine: sa.Engine, address: Address, *, read_only: bool) -> int:
    """Create or upgrade the tables and return the version of the schema."""
    with engine.connect() as connection:
        version = migrations.read_version(connection)
    if version is None:
        with engine.begin() as connection:
            migrations.create(connection)
            ownership.record_owner(connection)
            return SCHEMA_VERSION
    if 0 < version < SCHEMA_VERSION:
        if read_only:
            raise failures.read_only(address.name)
        _upgrade(engine, address, version)
        version = SCHEMA_VERSION
    if version == SCHEMA_VERSION and not read_only:
        with engine.begin() as connection:
            # First: SQLite's driver begins a transaction at a changed row, not at DDL.
            ownership.record_owner(connection)
            migrations.adopt(connection, version)
    return version


def _upgrade(engine: sa.Engine, address: Address, version: int) -> None:
    try:
        if address.file is not None:
            _back_up(engine, address.file, version)
        with engine.begin() as connection:
            migrations.upgrade(connection, version)
    except (migrations.MigrationError, OSError) as error:
        log.exception("The database %s could not be upgraded", address.name)
        raise failures.unusable(
            text("{name} could not be upgraded and was not changed.", name=address.name),
            text("See the log for the reason. Check the free space of the disk and start Kronos Desk again."),
        ) from error


def _back_up(engine: sa.Engine, file: Path, version: int) -> None:
    """Copy the file, so that the user can return to the version that wrote it."""
    if engine.dialect.name == "duckdb":
        with engine.connect() as connection:
            connection.exec_driver_sql("CHECKPOINT")  # writes the log into the file
    backup = file.with_name(f"{file.name}.version-{version}")
    part = backup.with_name(backup.name + ".part")
    shutil.copy2(file, part)
    part.replace(backup)


def _recover(address: Address, error: Exception) -> Opened:
    file = address.file
    exists = file is not None and file.exists()
    problem = failures.explain(error, address.name, is_file=file is not None)
    if exists and problem.code == "store_damaged":
        return _set_aside(address, "damaged", text("damaged"))
    if exists and problem.code == "store_read_only":
        try:
            engine = _open(address, read_only=True).engine
        except failures.FAILURES:
            log.warning("The database %s cannot be read either", address.name, exc_info=True)
        else:
            return Opened(engine, problem.message + problem.hint, read_only=True)
    if file is not None and problem.code == "store_read_only":
        raise failures.unusable(
            text("The database {name} cannot be created or opened.", name=address.name), problem.hint
        ) from error
    raise problem from error


def _set_aside(address: Address, label: str, state: Text) -> Opened:
    if address.file is None:
        raise failures.unusable(
            text("{name} is {state}.", name=address.name, state=state),
            text("Set KRONOS_DATABASE_URL to an empty database."),
        )
    file = address.file
    aside = file.with_name(f"{file.name}.{label}-{now():%Y%m%dT%H%M%S.%fZ}")
    try:
        file.replace(aside)
        _move_log(file, aside)
        opened = _open(address)
    except (*failures.FAILURES, Unavailable) as error:
        log.warning("%s could not be replaced: %s", file, error)
        raise failures.unusable(
            text("{name} is {state} and could not be moved aside.", name=str(file), state=state),
            text("Check the folder's permissions and free space, or set KRONOS_HOME to another folder."),
        ) from error
    notice = text(
        "{name} was {state}. It was renamed to {aside}, and a new database was started.",
        name=str(file), state=state, aside=aside.name,
    )  # fmt: skip
    return Opened(opened.engine, notice)


def _move_log(file: Path, aside: Path) -> None:
    """Move DuckDB's write-ahead log with its file: it would damage the new one."""
    if (wal := file.with_name(file.name + ".wal")).exists():
        wal.replace(aside.with_name(aside.name + ".wal"))
