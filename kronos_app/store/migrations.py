"""From each version of the schema to the next, in place: a step for each version that a release has written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from kronos_app.store.tables import (
    LIST_INDEXES,
    candle_sets,
    column_mappings,
    metadata,
    owner,
    registered_models,
    schema_version,
)

if TYPE_CHECKING:
    from alembic.operations import Operations


class MigrationError(Exception):
    """A step failed; the transaction it ran in must be rolled back."""


def upgrade(connection: sa.Connection, version: int) -> int:
    """Take the schema from `version` as far as steps lead, within the connection's transaction; return where that is.

    Raises
    ------
    MigrationError
        A step failed.
    """
    while version in STEPS:
        try:
            # First, as SQLite's driver begins a transaction when it meets a row that changes, not when a table does.
            connection.execute(schema_version.update().values(version=version + 1))
            STEPS[version](_operations(connection))
        except sa.exc.SQLAlchemyError as error:
            raise MigrationError(f"version {version}") from error
        version += 1
    return version


def _operations(connection: sa.Connection) -> Operations:
    from alembic.ddl.impl import DefaultImpl
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    # Alembic looks dialects up by name among the classes it has seen; DuckDB takes plain DDL.
    type("DuckDBImpl", (DefaultImpl,), {"__dialect__": "duckdb"})
    return Operations(MigrationContext.configure(connection))


def _to_2(operations: Operations) -> None:
    """Candle sets say what they are of; series, watchlists, followed series and the ledger are new."""
    operations.add_column(candle_sets.name, sa.Column("about", sa.JSON))
    metadata.create_all(operations.get_bind())


def _to_3(operations: Operations) -> None:
    """Models that were made here are new; the step before makes all tables of today, and so this one too."""
    registered_models.create(operations.get_bind(), checkfirst=True)


def _to_4(operations: Operations) -> None:
    """Note which process works with the database, remember chosen columns, and read lists by index."""
    bind = operations.get_bind()
    owner.create(bind, checkfirst=True)
    column_mappings.create(bind, checkfirst=True)
    for index in () if bind.dialect.name == "duckdb" else LIST_INDEXES:
        index.create(bind, checkfirst=True)


STEPS: Mapping[int, Callable[[Operations], None]] = {1: _to_2, 2: _to_3, 3: _to_4}
