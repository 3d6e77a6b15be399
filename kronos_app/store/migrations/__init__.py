"""Alembic revisions of the schema, applied from code by `upgrade`.

`versions/` has one revision for each version of the schema. A revision never changes once it is released, and it
imports nothing from `tables.py`, which describes the newest schema only. docs/store.md says how to add one.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from kronos_app.store.tables import SCHEMA_VERSION, metadata, schema_revision, schema_version


class MigrationError(Exception):
    """A revision failed; the transaction it ran in must be rolled back."""


def create(connection: sa.Connection) -> None:
    """Create the newest schema in an empty database."""
    metadata.create_all(connection)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
    _stamp(connection, SCHEMA_VERSION)


def read_version(connection: sa.Connection) -> int | None:
    """Return the version of the schema: 0 where our tables have none, None where the database has no table of ours."""
    tables = set(sa.inspect(connection).get_table_names())
    columns = [
        column for column in (schema_revision.c.version_num, schema_version.c.version) if column.table.name in tables
    ]
    if columns:
        return max(int(connection.scalar(sa.select(sa.func.max(column))) or 0) for column in columns)
    return 0 if tables & set(metadata.tables) else None


def adopt(connection: sa.Connection, version: int) -> None:
    """Record the Alembic revision in a database that was written without Alembic, at this version of the schema."""
    if not sa.inspect(connection).has_table(schema_revision.name):
        schema_revision.create(connection)
        _stamp(connection, version)


def upgrade(connection: sa.Connection, version: int) -> None:
    """Upgrade the schema from `version` to the newest, within the connection's transaction.

    Raises MigrationError: a revision failed.
    """
    from alembic import command, util
    from alembic.config import Config
    from alembic.ddl.impl import DefaultImpl

    # Alembic finds the class of a dialect by this attribute and has none for DuckDB, which accepts standard DDL.
    type("DuckDBImpl", (DefaultImpl,), {"__dialect__": "duckdb"})
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    try:
        # SQLite's driver begins a transaction at a changed row, not at DDL.
        connection.execute(schema_version.update().values(version=version))
        if version:
            adopt(connection, version)
        command.upgrade(config, "head")
        # Last, because DDL commits on MySQL. Releases without Alembic read this number and refuse newer databases.
        connection.execute(schema_version.update().values(version=SCHEMA_VERSION))
    except (sa.exc.SQLAlchemyError, util.CommandError) as error:
        raise MigrationError(f"version {version}") from error


def _stamp(connection: sa.Connection, version: int) -> None:
    connection.execute(schema_revision.insert().values(version_num=f"{version:04}"))
