"""Opening the database, whatever state it is found in.

A file of an older schema is brought up to date in place. One that is damaged, or of a schema that nothing leads on
from, is moved aside, never deleted, and a new one is started. A file that another program holds, that a newer version
wrote or that cannot be written stays as it is, and this session keeps its results in memory. Either way the reader gets
a notice, and the rest of the program does not see a difference.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kronos_app.errors import InvalidInput
from kronos_app.i18n import Text, text
from kronos_app.store import migrations
from kronos_app.store.records import now
from kronos_app.store.tables import SCHEMA_VERSION, metadata, schema_version

log = logging.getLogger(__name__)

MEMORY = sa.make_url("duckdb:///:memory:")
FILE_DIALECTS = ("duckdb", "sqlite")
# What the drivers say; they have no error codes for these.
LOCKED = ("could not set lock", "being used by another process", "database is locked")
NEWER_FORMAT = ("version number",)
DAMAGED = (
    "not a valid duckdb database",
    "corrupt",
    "could not read enough bytes",
    "wal file",
    "serialization error",
    "internal error",
    "file is not a database",
    "malformed",
)
DUCKDB_CONFIG = {
    # SQL of ours reads no other file, and nothing is fetched from the network behind the user's back.
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # The cores and the memory are the model's.
    "threads": 2,
    "memory_limit": "1GB",
}


@dataclass(frozen=True)
class Opened:
    """An engine whose tables exist; `file` is None for memory and servers."""

    engine: sa.Engine
    file: Path | None = None
    notice: Text | None = None


def open_database(url: str) -> Opened:
    """Return an engine for `url`, or for memory where that cannot be had.

    Raises
    ------
    InvalidInput
        If `url` is not an address SQLAlchemy understands.
    """
    address = _parse(url)
    file = _file_of(address)
    try:
        return _open(address, file)
    except (sa.exc.DBAPIError, OSError) as error:
        log.warning("The database %s did not open: %s", address.render_as_string(), error)
        return _recover(address, file, error)


def is_damage(error: Exception) -> bool:
    """Return whether a driver's error means that the file itself is broken."""
    return any(sign in str(error).lower() for sign in DAMAGED)


def replace_damaged(url: str) -> Opened:
    """Move the file behind `url` aside, as damage was found in it after it opened, and return a new database."""
    address = sa.make_url(url)
    return _set_aside(address, _file_of(address), "damaged", text("damaged"))


def _parse(url: str) -> sa.URL:
    try:
        address = sa.make_url(url)
        address.get_dialect().import_dbapi()
    except (sa.exc.ArgumentError, ImportError, ValueError) as error:
        raise InvalidInput(
            "database_url",
            text("The database address cannot be used: {reason}.", reason=_reason(error)),
            text("Write KRONOS_DATABASE_URL as dialect://user:password@host/name and install the dialect's driver."),
        ) from error
    return address


def _reason(error: Exception) -> str:
    # SQLAlchemy quotes the whole URL, and with it the password, when it cannot read it.
    return str(error).split(" from given URL string")[0].rstrip(".")


def _file_of(address: sa.URL) -> Path | None:
    in_memory = not address.database or address.database == ":memory:"
    return None if in_memory or address.get_backend_name() not in FILE_DIALECTS else Path(str(address.database))


def _open(address: sa.URL, file: Path | None) -> Opened:
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(address)
    try:
        with engine.begin() as connection:
            version = _prepare(connection)
    except migrations.MigrationError as error:
        engine.dispose()
        log.error("The database %s could not be brought up to date", _name(address, file), exc_info=error)
        return _in_memory(
            text("{name} could not be brought up to date and is left as it is.", name=_name(address, file)),
            text("The log says why; check the disk's free space and start Kronos Desk again."),
        )
    except BaseException:
        engine.dispose()
        raise
    if version == SCHEMA_VERSION:
        return Opened(engine, file)
    engine.dispose()
    if version > SCHEMA_VERSION:
        return _in_memory(
            text(
                "{name} was written by a newer version of Kronos Desk and is left as it is.", name=_name(address, file)
            ),
            text("Update Kronos Desk and start it again."),
        )
    return _set_aside(address, file, f"version-{version}", text("of an older version that cannot be read any more"))


def _engine(address: sa.URL) -> sa.Engine:
    options: dict[str, Any] = {"json_serializer": partial(json.dumps, ensure_ascii=False, allow_nan=False)}
    options["hide_parameters"] = True  # candles and arrays have no place in the log
    if address.get_backend_name() == "duckdb":
        # One connection: closing it is then certain to release the file, and memory is one database, not one a thread.
        options |= {"poolclass": sa.StaticPool, "connect_args": {"config": DUCKDB_CONFIG}}
    elif address.get_backend_name() == "sqlite":
        options |= {"poolclass": sa.StaticPool, "connect_args": {"check_same_thread": False}}
    else:
        options["pool_pre_ping"] = True
    return sa.create_engine(address, **options)


def _prepare(connection: sa.Connection) -> int:
    """Create the tables where there are none, bring older ones up to date and return the version there is then."""
    present = set(sa.inspect(connection).get_table_names())
    if schema_version.name in present:
        return migrations.upgrade(
            connection, int(connection.scalar(sa.select(sa.func.max(schema_version.c.version))) or 0)
        )
    if present & set(metadata.tables):
        return 0
    metadata.create_all(connection)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
    return SCHEMA_VERSION


def _recover(address: sa.URL, file: Path | None, error: Exception) -> Opened:
    said = str(error).lower()
    name = _name(address, file)
    if any(sign in said for sign in LOCKED):
        return _in_memory(
            text("{name} is in use by another program.", name=name),
            text("Close the other program and start Kronos Desk again."),
        )
    if any(sign in said for sign in NEWER_FORMAT):
        return _in_memory(
            text("{name} was written by a newer version of the database and is left as it is.", name=name),
            text("Update Kronos Desk and start it again."),
        )
    if file is not None and file.exists() and is_damage(error):
        return _set_aside(address, file, "damaged", text("damaged"))
    if file is not None:
        return _in_memory(
            text("{name} cannot be written.", name=name),
            text("Check the folder's permissions and free space, or set KRONOS_HOME to another folder."),
        )
    return _in_memory(
        text("{name} does not answer.", name=name), text("Check KRONOS_DATABASE_URL and start Kronos Desk again.")
    )


def _name(address: sa.URL, file: Path | None) -> str:
    return str(file) if file is not None else address.render_as_string(hide_password=True)


def _in_memory(reason: Text, remedy: Text) -> Opened:
    engine = _engine(MEMORY)
    with engine.begin() as connection:
        _prepare(connection)
    notice = text("{reason} Results of this session will not be kept. {remedy}", reason=reason, remedy=remedy)
    return Opened(engine, None, notice)


def _set_aside(address: sa.URL, file: Path | None, label: str, state: Text) -> Opened:
    if file is None:
        return _in_memory(
            text("{name} is {state}.", name=_name(address, file), state=state),
            text("Give KRONOS_DATABASE_URL an empty database."),
        )
    aside = file.with_name(f"{file.name}.{label}-{now():%Y%m%dT%H%M%S.%fZ}")
    try:
        file.replace(aside)
        _move_log(file, aside)
        opened = _open(address, file)
    except (sa.exc.DBAPIError, OSError) as error:
        log.warning("%s could not be replaced: %s", file, error)
        return _in_memory(
            text("{name} is {state} and could not be moved aside.", name=str(file), state=state),
            text("Check the folder's permissions and free space, or set KRONOS_HOME to another folder."),
        )
    notice = text(
        "{name} was {state}. It was kept as {aside}, and a new database was started.",
        name=str(file), state=state, aside=aside.name,
    )  # fmt: skip
    return Opened(opened.engine, file, notice)


def _move_log(file: Path, aside: Path) -> None:
    """Move DuckDB's write-ahead log along: it belongs to the old file and would spoil the new one."""
    if (wal := file.with_name(file.name + ".wal")).exists():
        wal.replace(aside.with_name(aside.name + ".wal"))
